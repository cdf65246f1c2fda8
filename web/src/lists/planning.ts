import { ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue'

import type { Mapping, Plan } from './api'
import type { Reader } from './client'

/** What is to become of each row, as it is decided now. */
export interface Planning {
  /** Null until it is known the first time; the last that was known stays while it is found out anew. */
  readonly plan: ShallowRef<Plan | null>
  readonly error: ShallowRef<unknown>
  readonly isPlanning: Ref<boolean>
  /** Finds it out anew. */
  again(): Promise<void>
}

/** Plans whenever a word or a decision changes. One plan is under way at a time; what changes meanwhile leads to one more. */
export function usePlanning(reader: Reader, mapping: Ref<Mapping>, decisions: Ref<Record<string, string>>): Planning {
  const plan = shallowRef<Plan | null>(null)
  const error = shallowRef<unknown>(null)
  const isPlanning = ref(false)
  let running: Promise<void> | null = null
  let stale = false

  async function planUntilFresh(): Promise<void> {
    isPlanning.value = true
    do {
      stale = false
      try {
        plan.value = await reader.plan(mapping.value, decisions.value)
        error.value = null
      } catch (thrown) {
        error.value = thrown
      }
    } while (stale)
    isPlanning.value = false
    running = null
  }

  function again(): Promise<void> {
    stale = true
    running ??= planUntilFresh()
    return running
  }

  watch([() => mapping.value.values, decisions], () => void again(), { deep: true })
  return { plan, error, isPlanning, again }
}
