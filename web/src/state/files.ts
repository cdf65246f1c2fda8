import { onScopeDispose, readonly, shallowRef, watch, type Ref } from 'vue'

import type { FileHash, FileOf } from '../core/api'
import { core, opened } from './core'
import { isMetered, online } from './network'
import { settings } from './settings'

/** What is fetched from the server is kept in memory alone: the last ones that were looked at. */
const KEPT_MAX = 40
const kept = new Map<FileHash, Blob>()

watch(
  () => opened() !== null,
  (isOpen) => {
    if (!isOpen) kept.clear()
  },
)

function keep(hash: FileHash, blob: Blob): void {
  kept.delete(hash)
  kept.set(hash, blob)
  const oldest = kept.size > KEPT_MAX ? kept.keys().next().value : undefined
  if (oldest !== undefined) kept.delete(oldest)
}

/** A file as it stands on a screen. */
export type FileSeen =
  | { readonly is: 'here'; readonly url: string; readonly type: string }
  /** On a line that costs money files are fetched when somebody asks for one. */
  | { readonly is: 'loading' | 'asked' | 'awaited' | 'offline' | 'missing' }

/** Whether files may be sent and fetched by themselves now. */
export function mayMoveFiles(): boolean {
  return online.value && !(settings.wifiOnly && isMetered())
}

/** Shows a file, of this phone or of the server, for as long as whoever asks is there. */
export function useFile(hash: FileHash, of: FileOf | null): { readonly seen: Readonly<Ref<FileSeen>>; load(): Promise<void> } {
  const seen = shallowRef<FileSeen>({ is: 'loading' })
  let over = false

  function show(blob: Blob): void {
    if (over || seen.value.is === 'here') return
    seen.value = { is: 'here', url: URL.createObjectURL(blob), type: blob.type }
  }

  async function look(from: FileOf | null): Promise<boolean> {
    const known = kept.get(hash)
    if (known) {
      show(known)
      return true
    }
    const shown = await core()
      .file(hash, from)
      .catch(() => ({ is: 'missing' }) as const)
    if (shown.is === 'here') {
      const blob = new Blob([shown.bytes as Uint8Array<ArrayBuffer>], { type: shown.type })
      keep(hash, blob)
      show(blob)
      return true
    }
    if (from || !of) seen.value = shown
    return false
  }

  async function load(): Promise<void> {
    seen.value = { is: 'loading' }
    await look(of)
  }

  async function begin(): Promise<void> {
    if (await look(null)) return
    if (!of) return
    if (!online.value) seen.value = { is: 'offline' }
    else if (mayMoveFiles()) await look(of)
    else seen.value = { is: 'asked' }
  }

  // What could not be fetched is fetched once it can be.
  const stop = watch(online, (isUp) => {
    if (isUp && seen.value.is === 'offline') void begin()
  })
  void begin()
  onScopeDispose(() => {
    over = true
    stop()
    if (seen.value.is === 'here') URL.revokeObjectURL(seen.value.url)
  })
  return { seen: readonly(seen) as Readonly<Ref<FileSeen>>, load }
}
