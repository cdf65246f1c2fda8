import { watch, type Ref } from 'vue'

import type { Field, Intent, JournalId, Value } from '../core/api'
import { core } from '../state/core'
import { isBlank, sameValue } from './values'

/**
 * Fills a form in with what is known already, and again whenever it refers to another record or is of another day.
 *
 * What its person wrote stays. What he cleared stays cleared, until a reference says something else.
 */
export function useFilled(journal: Ref<JournalId>, fields: () => readonly Field[], values: Ref<Record<string, Value>>, intent: () => Intent): () => Promise<void> {
  const filled: Record<string, Value> = {}

  // What a form finds follows from what it refers to, and from its days.
  const refersTo = (): string =>
    JSON.stringify(fields().flatMap((field) => (['ref', 'refs', 'date'].includes(field.type.is) ? [values.value[field.name] ?? null] : [])))

  let seen: string | null = null
  async function fill(): Promise<void> {
    const refers = refersTo()
    if (refers === seen || journal.value === '') return
    seen = refers
    // What an earlier reference said, and nobody changed since, goes with it.
    for (const [name, value] of Object.entries(filled)) {
      const field = fields().find((one) => one.name === name)
      const leadsOn = field?.type.is === 'ref' || field?.type.is === 'date'
      if (!leadsOn && sameValue(values.value[name], value)) delete values.value[name]
    }
    seen = refersTo()
    const known = await core()
      .filled(journal.value, intent())
      .catch(() => ({}))
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
