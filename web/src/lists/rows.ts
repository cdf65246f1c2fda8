import type { PlannedRow } from './api'

/** How many rows are drawn at a time. */
export const SHOWN = 50

/** Whose a row is, as the list says it. */
export function whose({ name, village, group }: Pick<PlannedRow, 'name' | 'village' | 'group'>): string {
  return [name, village, group].filter(Boolean).join(' · ')
}
