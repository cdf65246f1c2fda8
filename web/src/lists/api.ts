/**
 * What the screen of imports asks of the module that reads lists: a second one beside the core, fetched when somebody first imports, for
 * a phone in the field never does. It knows the register as the core told it once, and keeps nothing.
 *
 * A list that cannot be read is rejected with a {@link CoreError} whose title says why; so is a mapping that does not fit.
 */
import type { DateText, Intent, JournalId, Label, Lang, RecordId } from '../core/api'

/** Something that a column can feed: where a row belongs, or a field of the records that rows become. */
export interface Target {
  /** As a mapping names it. */
  readonly name: string
  readonly label: Label
  readonly is: 'place' | 'field'
  /** It reads dates: in which order they are written may be said. */
  readonly isDate: boolean
  /** The codes that its words stand for; null if it takes words as they are. */
  readonly codes: readonly { readonly code: string; readonly label: Label }[] | null
}

/** In which order a date is written where the year does not come first. */
export type DateOrder = 'ymd' | 'dmy' | 'mdy'

/** Which column feeds what: the same that `zhucun-field import --mapping` reads from a file. */
export interface Mapping {
  /** Which list it is. */
  source: string
  /** As of which day. */
  source_on: DateText
  /** The row of the file that names the columns, counted from 1. */
  header_row: number
  /** By the names of targets: the column's name. */
  columns: { [target: string]: string }
  /** What is the same in every row, by the names of fields. */
  constants: { [field: string]: string }
  /** By the names of fields: what the list's words stand for. */
  values: { [field: string]: { [said: string]: string } }
  /** By the names of targets. */
  dates: { [target: string]: DateOrder }
}

/** A file as it was opened. */
export type Opened =
  /** A workbook of several sheets: say which. */
  | { readonly is: 'sheets'; readonly sheets: readonly string[] }
  | ({ readonly is: 'rows' } & Headed)

/** A list under the row that names its columns. */
export interface Headed {
  /** How many rows lie below that row. */
  readonly rows: number
  readonly columns: readonly string[]
  /** The first rows of the file with their numbers, those above the columns' names among them. */
  readonly first: readonly { readonly row: number; readonly cells: readonly string[] }[]
  /** A first mapping, from the names of the columns. */
  readonly mapping: Mapping
  readonly targets: readonly Target[]
}

export type Verdict =
  /** It is certain whose it is: it becomes a clue. */
  | 'ready'
  /** Somebody decided that its household is on no register: a clue by name, whose household the village finds. */
  | 'told'
  /** A person decides among the candidates, of whom there may be none. */
  | 'undecided'
  | 'noVillage'
  | 'bad'
  /** A clue was made of it before. */
  | 'made'
  /** An earlier row says the same. */
  | 'repeated'
  /** Somebody decided to leave it. */
  | 'skipped'

/** A household that a row may be of. */
export interface Candidate {
  readonly record: RecordId
  readonly householder: string
  readonly group: string
  /** How it is known; null of the one that is certain. */
  readonly note: Label | null
}

export interface PlannedRow {
  /** Where it stands in the file, from 1. */
  readonly row: number
  /** What tells it from others; decisions name it. */
  readonly key: string
  readonly village: string
  readonly name: string
  readonly group: string
  readonly journal: JournalId | null
  readonly is: Verdict
  /** The same in words. */
  readonly result: Label
  readonly household: Candidate | null
  readonly candidates: readonly Candidate[]
  /** What is wrong with it; null if nothing. */
  readonly problem: Label | null
}

export interface Plan {
  /** How many rows come to what, in the order of {@link Verdict}. */
  readonly counts: readonly { readonly is: Verdict; readonly result: Label; readonly rows: number }[]
  /** Those that a person has to do with, or decided: what is clear by itself, or was made before, is only counted. */
  readonly rows: readonly PlannedRow[]
  /** Words that stand for no code yet, by the names of fields. */
  readonly words: { readonly [field: string]: readonly string[] }
}

/** What a person decided of a row: a household's id, `new` (on no register), or `skip`. */
export type Decisions = { readonly [key: string]: string }

/** The clue that a clear row becomes. */
export interface Clue {
  readonly row: number
  readonly journal: JournalId
  readonly intent: Intent
}

export interface Lists {
  /** Takes a file in: CSV or XLSX. `sheet` says which of several. */
  open(file: Uint8Array, sheet: string | null): Promise<Opened>
  /** The same list under another row that names its columns. */
  under(headerRow: number): Promise<Headed>
  /** What is to become of each row. Nothing is made. */
  plan(mapping: Mapping, decisions: Decisions): Promise<Plan>
  /** The clues of the last plan. */
  clues(): Promise<readonly Clue[]>
  /** The last plan's report as a CSV for a spreadsheet, of rows that could not be saved, too, by their numbers. */
  report(lang: Lang, notSaved: { readonly [row: number]: Label }): Promise<Uint8Array>
}
