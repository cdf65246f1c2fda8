import { watch, type Ref } from 'vue'

import type { Field, Intent, JournalId, Value } from '../core/api'
import { core } from '../state/core'
import { isBlank, sameValue } from './values'

/**
 * Fills a form in with what is known already, and again whenever something changes from which more follows: a reference, a day.
 *
 * What its person wrote stays. What he cleared stays cleared, until a reference says something else.
 */
export function useFilled(journal: Ref<JournalId>, fields: () => readonly Field[], values: Ref<Record<string, Value>>, intent: () => Intent): () => Promise<void> {
  const filled: Record<string, Value> = {}

  const refersTo = (): string =>
    JSON.stringify(fields().flatMap((field) => (field.leads ? [values.value[field.name] ?? null] : [])))

  let seen: string | null = null
  async function fill(): Promise<void> {
    const refers = refersTo()
    if (refers === seen || journal.value === '') return
    seen = refers
    // What an earlier reference said, and nobody changed since, goes with it.
    for (const [name, value] of Object.entries(filled)) {
      const field = fields().find((one) => one.name === name)
      if (!field?.leads && sameValue(values.value[name], value)) delete values.value[name]
    }
    const asked = refersTo()
    seen = asked
    const known = await core()
      .filled(journal.value, intent())
      .catch(() => ({}))
    // While a number is typed, only what is asked last is of interest.
    if (refersTo() !== asked) return
    for (const [name, value] of Object.entries(known)) {
      if (!isBlank(values.value[name])) continue
      values.value[name] = value
      filled[name] = value
    }
    seen = refersTo()
  }

  watch(refersTo, () => seen !== null && void fill())
  return fill
}
