import { core, opened } from './core'
import { settings } from './settings'

/** How often is looked whether the time is over; a phone that sleeps looks when it wakes. */
const LOOK_MILLIS = 5_000

let lastTouch = Date.now()

function touched(): void {
  lastTouch = Date.now()
}

async function lockIfIdle(): Promise<void> {
  const idle = Date.now() - lastTouch
  if (opened() && settings.autoLockMinutes > 0 && idle >= settings.autoLockMinutes * 60_000) await core().lock()
}

/** Locks the core once nobody has touched the app for as long as the settings say. Drafts stay; forms are opened again. */
export function lockWhenIdle(): void {
  for (const name of ['pointerdown', 'keydown', 'input', 'scroll']) {
    window.addEventListener(name, touched, { passive: true, capture: true })
  }
  setInterval(() => void lockIfIdle(), LOOK_MILLIS)
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void lockIfIdle()
    // Whoever looks away may never come back with the right PIN.
    else if (opened()) void core().sealWaiting().catch(() => undefined)
  })
}

/** Somebody has just opened it. */
export function resetIdle(): void {
  touched()
}
