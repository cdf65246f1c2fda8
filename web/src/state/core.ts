import { shallowRef } from 'vue'

import type { Core, CoreEvent, Open, Standing } from '../core/api'

let held: Core | null = null

/** How the core stands; null until it has said so the first time. */
export const standing = shallowRef<Standing | null>(null)
/** Why the core could not start at all. */
export const startFailure = shallowRef<unknown>(null)

/** The core. Screens exist only once it does. */
export function core(): Core {
  if (!held) throw new Error('the core has not been started')
  return held
}

/** What an open core says of itself; null while it is not open. */
export function opened(): Open | null {
  const now = standing.value
  return now?.is === 'open' ? now : null
}

/** Takes the core into use and follows how it stands. */
export async function startWith(given: Core): Promise<void> {
  held = given
  given.on((event: CoreEvent) => {
    if (event.is === 'standing') standing.value = event.standing
  })
  try {
    standing.value = await given.standing()
  } catch (error) {
    startFailure.value = error
  }
}

/** Asks anew how the core stands, where no event would tell. */
export async function lookAgain(): Promise<void> {
  standing.value = await core().standing()
}
