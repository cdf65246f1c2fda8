import { fetchEnglish } from '../i18n'
import { online } from './network'

/** What a phone can do without on its first day: fetched when there is nothing else to do, and kept for when there is no signal. */
const PARTS: readonly (() => Promise<unknown>)[] = [fetchEnglish, () => import('../parts/CodesSheet.vue'), () => import('../parts/ScanSheet.vue'), () => import('qr/decode.js')]
/** Where the service worker keeps them; `vite.config.ts` names it, too. */
const CACHE = 'later'
/** The app is in use by then. */
const AFTER_MILLIS = 20_000

/** Fetches the rest, soon. */
export function fetchTheRest(): void {
  const soon = window.requestIdleCallback ?? ((run: () => void) => setTimeout(run, 0))
  setTimeout(() => soon(() => void fetchAll()), AFTER_MILLIS)
}

async function fetchAll(): Promise<void> {
  if (!online.value) return
  // What cannot be had now is asked for again at the next start.
  for (const part of PARTS) await part().catch(() => undefined)
  await keepWhatCameEarly().catch(() => undefined)
}

/** What was loaded before there was a service worker is not kept by it. */
async function keepWhatCameEarly(): Promise<void> {
  if (!navigator.serviceWorker?.controller) return
  const kept = await caches.open(CACHE)
  for (const { name } of performance.getEntriesByType('resource')) {
    if (name.includes('/assets/') && !(await caches.match(name))) await kept.add(name)
  }
}
