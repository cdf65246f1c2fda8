/** The messages between the page and its worker. */
import type { CoreErrorShape, CoreEvent, Remembered } from './api'
import type { Served } from './shell'

export interface Hello {
  readonly remembered: Remembered | null
}

export interface Call {
  readonly id: number
  readonly method: keyof Served
  readonly given: readonly unknown[]
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: CoreErrorShape }

export type Notice =
  | { readonly event: CoreEvent }
  /** The module stopped in the middle of something: another worker is to be started. */
  | { readonly broken: CoreErrorShape }
  /** It cannot start: every call fails with this. */
  | { readonly failed: CoreErrorShape }
