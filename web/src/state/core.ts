import { shallowRef } from 'vue'

import type { Core, CoreEvent, Open, Standing } from '../core/api'
import { plain } from './plain'

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

/** The same core, given values that are free of Vue's proxies: what crosses to the worker is copied, and a proxy cannot be. */
function givenPlain(given: Core): Core {
  return new Proxy(given, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (...values: unknown[]) => member.apply(target, values.map(plain)) : member
    },
  })
}

/** Takes the core into use and follows how it stands. */
export async function startWith(given: Core): Promise<void> {
  held = givenPlain(given)
  given.on((event: CoreEvent) => {
    if (event.is === 'standing') standing.value = event.standing
    // What is unsent must be true at every moment, so it is asked for after whatever may have changed it.
    if (event.is === 'changed' || event.is === 'sync') void lookSoon()
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

let looking = false
let stale = false

/** The same, once for however many events come at a time. */
async function lookSoon(): Promise<void> {
  stale = true
  if (looking) return
  looking = true
  while (stale) {
    stale = false
    await lookAgain().catch(() => undefined)
  }
  looking = false
}
