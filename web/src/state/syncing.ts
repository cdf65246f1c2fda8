import { computed, shallowRef } from 'vue'

import type { FilesReport, SyncReport } from '../core/api'
import { readCatalogue } from './catalogue'
import { core, opened } from './core'
import { mayMoveFiles } from './files'
import { whenConnectionChanges } from './network'
import { lookForUpdate } from './update'

/** Soon after a save, so that what is typed in one go travels together. */
const AFTER_SAVE_MILLIS = 1_500
/** How long to wait after a sync that failed: longer each time. */
const RETRY_SECONDS = [20, 60, 180, 600] as const

let timer: ReturnType<typeof setTimeout> | undefined
let running: Promise<SyncReport> | null = null
let failures = 0
let sending: Promise<FilesReport> | null = null
let fileFailures = 0

/** Whether a sync is under way. */
export const isSyncing = computed(() => opened()?.sync.is === 'running')

/** Whether photographs and recordings are being handed over. */
export const isSendingFiles = shallowRef(false)

function mayByItself(): boolean {
  return opened() !== null && mayMoveFiles()
}

/** How long to wait after so many failures in a row. */
function pauseSeconds(after: number, asked: number | undefined): number {
  return asked ?? RETRY_SECONDS[Math.min(after, RETRY_SECONDS.length) - 1] ?? 600
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
    plan(pauseSeconds(failures, report.error.retryAfterSeconds) * 1_000)
    return report
  }
  // Held back, or written meanwhile.
  if (report.unsent > 0) plan(60_000)
  // Records do not wait for files. By hand the records alone are sent where files must wait for a line that costs nothing.
  if (mayByItself()) void sendFilesNow().catch(() => undefined)
  return report
}

/** Hands over files now, because their person says so or may be assumed to; joins what is under way. */
export function sendFilesNow(): Promise<FilesReport> {
  sending ??= filesOnce().finally(() => (sending = null))
  return sending
}

async function filesOnce(): Promise<FilesReport> {
  isSendingFiles.value = true
  try {
    const report = await core().sendFiles()
    fileFailures = report.error ? fileFailures + 1 : 0
    // The sync that is planned fetches what a request needs, and then the files go on where they were broken off.
    if (report.error) plan(pauseSeconds(fileFailures, report.error.retryAfterSeconds) * 1_000)
    return report
  } finally {
    isSendingFiles.value = false
  }
}

/** Something was saved: sync soon, in the background. */
export function syncSoon(): void {
  if (mayByItself()) plan(AFTER_SAVE_MILLIS)
}

/** Syncs by itself whenever the network comes back, and whenever the app is looked at again. */
export function keepSyncing(): void {
  window.addEventListener('online', () => {
    failures = 0
    fileFailures = 0
    plan(500)
  })
  // From a mobile network to Wi-Fi, without a moment in between.
  whenConnectionChanges(() => plan(500))
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') plan(500)
  })
}

/** The core was opened: fetch what there is. */
export function syncAtOpening(): void {
  failures = 0
  fileFailures = 0
  plan(0)
}
