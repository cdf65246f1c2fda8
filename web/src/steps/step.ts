import type { Action, Field, Kind, RecordPage, Step } from '../core/api'

/** Kinds that are made or looked at while a step is taken, and for which it has a part of its own. */
export const VISIT = 'visit'
export const NOTICE = 'notice'
/** How a record says whom it is about. */
export const HOUSEHOLD = 'household'

/** Whether a field refers to one record of a kind. */
export function refersTo(field: Field, kind: string): boolean {
  return field.type.is === 'ref' && field.type.kind === kind
}

/** Whether an action deserves a page instead of a sheet: it rests on a visit or a notice, which is made on the way. */
export function deservesPage(kind: Kind, action: Action): boolean {
  const brought = new Set([...action.needs, ...action.writes])
  return kind.fields.some((field) => brought.has(field.name) && (refersTo(field, VISIT) || refersTo(field, NOTICE)))
}

/** The record that a page's field refers to; null if none, or several that are to be settled. */
export function target(page: RecordPage, field: string): string | null {
  const shown = page.fields.find((one) => one.name === field)?.shown
  return shown?.is === 'value' && typeof shown.value === 'string' ? shown.value : null
}

/** What counted of what was done: what was refused or had no effect told nothing. */
export function counted(step: Step): boolean {
  return step.fate.is === 'accepted' || step.fate.is === 'flagged'
}
