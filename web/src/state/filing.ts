import { ref, type Ref } from 'vue'

/** It is the same for everybody, and on every wall. */
const KEPT = 'filing'

/** The number under which the authorities have filed this service: as it was last heard, and heard anew while there is a network. */
export function useFiling(): Ref<string | null> {
  const number = ref(localStorage.getItem(KEPT))
  void hear().then(
    (heard) => {
      number.value = heard
      if (heard === null) localStorage.removeItem(KEPT)
      else localStorage.setItem(KEPT, heard)
    },
    // Without a network what was heard last is shown.
    () => undefined,
  )
  return number
}

async function hear(): Promise<string | null> {
  const answer = await fetch('/v1/deployment')
  if (!answer.ok) throw new Error(answer.statusText)
  const { filing_number: number } = (await answer.json()) as { readonly filing_number?: string }
  return number ?? null
}
