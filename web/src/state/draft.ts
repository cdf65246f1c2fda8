import { onScopeDispose, ref, watch, type Ref } from 'vue'

import { core } from './core'

/** A draft that is kept while it is typed. */
export interface Draft<T extends object> {
  readonly value: Ref<T>
  /** Something of an earlier time was found and restored. */
  readonly restored: Ref<boolean>
  /** Resolves once it is known whether there is something to restore. */
  readonly ready: Promise<void>
  /** Forgets it: it was saved, or its person does not want it any more. */
  drop(): Promise<void>
}

/**
 * Keeps what is typed under a key, at every keystroke, so that a dead battery costs nothing.
 *
 * One write is under way at a time; what is typed meanwhile goes with the next one, so that a slow phone is not flooded.
 */
export function useDraft<T extends object>(key: string, empty: () => T, isEmpty: (value: T) => boolean): Draft<T> {
  const value = ref(empty()) as Ref<T>
  const restored = ref(false)
  let writing = false
  let dirty = false
  let dropped = false
  let settled = false

  async function write(): Promise<void> {
    dirty = true
    if (writing) return
    writing = true
    while (dirty && !dropped) {
      dirty = false
      await (isEmpty(value.value) ? core().dropDraft(key) : core().putDraft(key, value.value)).catch(() => undefined)
    }
    writing = false
  }

  const stop = watch(value, () => settled && !dropped && void write(), { deep: true })
  onScopeDispose(stop)

  const ready = core()
    .draft(key)
    .catch(() => null)
    .then((kept) => {
      if (kept && !dropped) {
        value.value = { ...empty(), ...(kept.value as T) }
        restored.value = true
      }
      settled = true
    })

  return {
    value,
    restored,
    ready,
    async drop() {
      dropped = true
      restored.value = false
      await core()
        .dropDraft(key)
        .catch(() => undefined)
    },
  }
}

/** The key of the one visit that may be unfinished. */
export const VISIT_DRAFT = 'visit'
