import { onScopeDispose, shallowRef } from 'vue'

import { CoreError, type JournalId } from '../core/api'
import { t } from '../i18n'
import { errorWords } from '../i18n/words'
import { sayBriefly } from '../state/said'
import { core } from '../state/core'
import { syncSoon } from '../state/syncing'
import type { Clue } from './api'

/** Clues that are being made of a list's rows, or were. */
export interface Making {
  /** How many there are to be. */
  readonly of: number
  readonly made: number
  /** Why, by the numbers of rows. */
  readonly notSaved: ReadonlyMap<number, unknown>
  /** Why it ended before its end; null if it did not. */
  readonly stopped: unknown
  readonly isOver: boolean
}

/** What becomes durable at once: all of it or nothing. */
const AT_ONCE = 100
/** Where one cannot be saved for such a reason, none can. */
const STOPS: readonly string[] = ['storage_full', 'storage_failed', 'storage_cleared', 'locked', 'elsewhere']

/** It goes on while its person is elsewhere. */
export const making = shallowRef<Making | null>(null)
let isWatched = false

/** A screen shows it while it is open, and what became of it until it is left. */
export function useMaking(): void {
  isWatched = true
  onScopeDispose(() => {
    isWatched = false
    forgetMade()
  })
}

/** What is over was seen. */
export function forgetMade(): void {
  if (making.value?.isOver) making.value = null
}

/** Makes clues, and leaves out which cannot be saved; never rejects. */
export async function makeClues(clues: readonly Clue[]): Promise<void> {
  const notSaved = new Map<number, unknown>()
  let made = 0
  const tell = (stopped: unknown, isOver: boolean): void => {
    making.value = { of: clues.length, made, notSaved, stopped, isOver }
  }

  async function save(journal: JournalId, some: readonly Clue[]): Promise<void> {
    const [first] = some
    try {
      await core().save(
        journal,
        null,
        some.map((clue) => clue.intent),
      )
      made += some.length
    } catch (error) {
      if (error instanceof CoreError && STOPS.includes(error.code)) throw error
      if (some.length > 1) for (const one of some) await save(journal, [one])
      else if (first) notSaved.set(first.row, error)
    }
    tell(null, false)
  }

  tell(null, false)
  let stopped: unknown = null
  try {
    for (const [journal, all] of byJournal(clues)) {
      for (let from = 0; from < all.length; from += AT_ONCE) await save(journal, all.slice(from, from + AT_ONCE))
    }
  } catch (error) {
    stopped = error
  }
  tell(stopped, true)
  if (made > 0) syncSoon()
  if (isWatched) return
  if (stopped) sayBriefly(t('import.stopped', { why: errorWords(stopped) }), 'grave')
  else sayBriefly(t('import.made', { n: made }))
}

function byJournal(clues: readonly Clue[]): Map<JournalId, Clue[]> {
  const all = new Map<JournalId, Clue[]>()
  for (const clue of clues) {
    const here = all.get(clue.journal)
    if (here) here.push(clue)
    else all.set(clue.journal, [clue])
  }
  return all
}
