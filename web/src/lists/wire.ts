/** The messages between the page and the worker that reads lists. */
import type { Lists } from './api'

export type { Answer } from '../core/wire'

/** What the worker does: what is asked of lists, and to know the register. */
export interface Served extends Lists {
  know(roll: Uint8Array, now: number): Promise<void>
}

export interface Call {
  readonly id: number
  readonly method: keyof Served
  readonly given: readonly unknown[]
}

/** The code of an error: the module is not on this phone, and cannot be fetched now. */
export const NOT_HERE = 'not_here'
