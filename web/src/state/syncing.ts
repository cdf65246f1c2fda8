import { computed } from 'vue'

import type { SyncReport } from '../core/api'
import { readCatalogue } from './catalogue'
import { core, opened } from './core'
import { isMetered, online } from './network'
import { settings } from './settings'
import { lookForUpdate } from './update'

/** Soon after a save, so that what is typed in one go travels together. */
const AFTER_SAVE_MILLIS = 1_500
/** How long to wait after a sync that failed: longer each time. */
const RETRY_SECONDS = [20, 60, 180, 600] as const

let timer: ReturnType<typeof setTimeout> | undefined
let running: Promise<SyncReport> | null = null
let failures = 0

/** Whether a sync is under way. */
export const isSyncing = computed(() => opened()?.sync.is === 'running')

function mayByItself(): boolean {
  return opened() !== null && online.value && !(settings.wifiOnly && isMetered())
}

function plan(millis: number): void {
  clearTimeout(timer)
  timer = setTimeout(() => void syncByItself(), millis)
}

async function syncByItself(): Promise<void> {
  if (mayByItself()) await syncNow().catch(() => undefined)
}

/** Syncs now, because its person says so; joins the sync that is under way, if one is. */
export function syncNow(): Promise<SyncReport> {
  running ??= once().finally(() => (running = null))
  return running
}

async function once(): Promise<SyncReport> {
  clearTimeout(timer)
  const report = await core().sync()
  await readCatalogue()
  failures = report.error ? failures + 1 : 0
  // The server has moved on: the new app is fetched at once, and sends what this one has written.
  if (report.error?.code === 'protocol') void lookForUpdate()
  if (report.error) {
    const seconds = report.error.retryAfterSeconds ?? RETRY_SECONDS[Math.min(failures, RETRY_SECONDS.length) - 1] ?? 600
    plan(seconds * 1_000)
  } else if (report.unsent > 0) {
    // Held back, or written meanwhile.
    plan(60_000)
  }
  return report
}

/** Something was saved: sync soon, in the background. */
export function syncSoon(): void {
  if (mayByItself()) plan(AFTER_SAVE_MILLIS)
}

/** Syncs by itself whenever the network comes back, and whenever the app is looked at again. */
export function keepSyncing(): void {
  window.addEventListener('online', () => {
    failures = 0
    plan(500)
  })
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') plan(500)
  })
}

/** The core was opened: fetch what there is. */
export function syncAtOpening(): void {
  failures = 0
  plan(0)
}
