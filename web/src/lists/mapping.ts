import type { Headed, Mapping } from './api'

/**
 * What a list of the same form is known by, in the clear. It says nothing by itself: where a list names no columns, the first row has
 * somebody's name and number.
 */
export async function digestOf(texts: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(texts.join('\u001f'))
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The mapping of an earlier list, for one of the same form: as far as there is what it feeds, and as of a day of its own. */
export function takenOver(kept: Mapping, { mapping, targets }: Headed): Mapping {
  const known = new Set(targets.map((target) => target.name))
  const those = <T>(of: { [target: string]: T }): { [target: string]: T } =>
    Object.fromEntries(Object.entries(of).filter(([name]) => known.has(name)))
  return {
    source: kept.source,
    source_on: mapping.source_on,
    header_row: mapping.header_row,
    columns: those(kept.columns),
    constants: those(kept.constants),
    values: those(kept.values),
    dates: those(kept.dates),
  }
}
