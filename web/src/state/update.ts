import { ref } from 'vue'
import { Workbox } from 'workbox-window'

import { ownScript } from './trust'

/** A new version waits. It is taken when its person says so, never in the middle of something. */
export const updateReady = ref(false)

let workbox: Workbox | null = null

/** Installs the app for offline use, in the background. */
export function installWorker(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return
  workbox = new Workbox(ownScript('/sw.js'), { scope: '/' })
  workbox.addEventListener('waiting', () => (updateReady.value = true))
  workbox.register().catch(() => undefined)
}

/** Looks for a newer version. */
export async function lookForUpdate(): Promise<boolean> {
  await workbox?.update().catch(() => undefined)
  return updateReady.value
}

/** Takes the new version; drafts are kept, so nothing that was typed is lost. */
export function takeUpdate(): void {
  workbox?.addEventListener('controlling', () => location.reload())
  workbox?.messageSkipWaiting()
}
