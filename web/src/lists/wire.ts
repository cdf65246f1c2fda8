/** The messages between the page and the worker that reads lists. */
import type { CoreErrorShape } from '../core/api'
import type { Lists } from './api'

/** What the worker does: what is asked of lists, and to know the register. */
export interface Served extends Lists {
  know(roll: Uint8Array, now: number): Promise<void>
}

export interface Call {
  readonly id: number
  readonly method: keyof Served
  readonly given: readonly unknown[]
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: CoreErrorShape }

/** The code of an error: the module is not on this phone, and cannot be fetched now. */
export const NOT_HERE = 'not_here'
