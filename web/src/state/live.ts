import { onScopeDispose, shallowRef, watch, type ShallowRef, type WatchSource } from 'vue'

import type { CoreEvent } from '../core/api'
import { core } from './core'

/** What a screen shows of the core, kept as it is now. */
export interface Live<T> {
  /** Null until it was read the first time; the last that was read stays while it is read anew. */
  readonly value: ShallowRef<T | null>
  readonly error: ShallowRef<unknown>
  reload(): Promise<void>
}

/**
 * Reads something of the core, and reads it anew whenever records or the standing change, or a source does.
 *
 * Changes that come while it is being read lead to one more reading, however many they are.
 */
export function useLive<T>(read: () => Promise<T>, sources: readonly WatchSource<unknown>[] = []): Live<T> {
  const value = shallowRef<T | null>(null)
  const error = shallowRef<unknown>(null)
  let running: Promise<void> | null = null
  let stale = false

  async function readUntilFresh(): Promise<void> {
    do {
      stale = false
      try {
        value.value = await read()
        error.value = null
      } catch (thrown) {
        error.value = thrown
      }
    } while (stale)
    running = null
  }

  function reload(): Promise<void> {
    stale = true
    running ??= readUntilFresh()
    return running
  }

  const stop = core().on((event: CoreEvent) => {
    if (event.is === 'changed' || event.is === 'standing') void reload()
  })
  onScopeDispose(stop)
  if (sources.length > 0) watch([...sources], () => void reload())
  void reload()
  return { value, error, reload }
}
