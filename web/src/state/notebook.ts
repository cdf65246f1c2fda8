import type { Kept } from '../core/api'

/** The keys of the private notebook's pages begin with it. */
export const NOTEBOOK = 'page/'
/** The key of what somebody wrote as a complaint and cannot send yet. */
export const COMPLAINT = 'complaint'

/** The text of a page. */
export function textOf(note: Kept): string {
  const value = note.value as { readonly text?: unknown } | null
  return typeof value?.text === 'string' ? value.text : ''
}
