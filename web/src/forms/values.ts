import type { Condition, Field, Part, Value } from '../core/api'

/** Whether nothing is said by a value. */
export function isBlank(value: Value | undefined): boolean {
  if (value === null || value === undefined) return true
  if (typeof value === 'string') return value.trim() === ''
  if (Array.isArray(value)) return value.length === 0
  return false
}

/** Whether two values say the same. */
export function sameValue(one: Value | undefined, other: Value | undefined): boolean {
  return JSON.stringify(one ?? null) === JSON.stringify(other ?? null)
}

/** Whether the values meet a condition under which a field is needed. */
export function meets(condition: Condition | null, values: { readonly [field: string]: Value | undefined }): boolean {
  if (!condition) return false
  const value = values[condition.field]
  return typeof value === 'string' && condition.is.includes(value)
}

/** What a control edits: a field, or a part of a list's item. */
export type Asked = Pick<Field | Part, 'name' | 'label' | 'type'>

/** The fields that a new record's form offers: what is written at creation, in the order of the catalogue. */
export function offeredAtCreation(fields: readonly Field[]): Field[] {
  return fields.filter((field) => field.written !== 'action' && !field.derived && !field.retired)
}

/** What of a form has been filled in, for `create` and `act`. */
export function filledIn(values: { readonly [field: string]: Value | undefined }): { [field: string]: Value } {
  const filled: { [field: string]: Value } = {}
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && !isBlank(value)) filled[name] = typeof value === 'string' ? value.trim() : value
  }
  return filled
}
