/**
 * What the screens ask of the core: every call goes to the dedicated worker and comes back as a promise.
 *
 * The screens decide nothing that counts. What may be done, what is due, what a value reads as and what became of a command is
 * said here by the very code that the server runs; forms are generated from {@link Catalogue}, so that a kind added as a file
 * needs no line of a screen.
 *
 * Nothing here waits for the network but {@link Core.enrol}, {@link Core.logIn} and {@link Core.sync}. When {@link Core.save}
 * resolves, what was saved is durable on this phone.
 *
 * Every rejection is a {@link CoreError}.
 */

// ---------------------------------------------------------------------------------------------------------------- plain values

/** An identifier: 32 hexadecimal digits. */
export type Id = string
/** A village's journal. */
export type JournalId = Id
/** A record; unique in its journal. */
export type RecordId = Id
/** A person with an account. */
export type UserId = Id
/** An item of a list field. */
export type ItemId = Id
/** A civil date in China: `2026-11-21`. */
export type DateText = string
/** A time of day in China: `09:30`. */
export type TimeText = string
/** Milliseconds since 1970-01-01 UTC. */
export type Instant = number
/** An open form; good until it is closed or saved, or the core is locked. */
export type FormId = number

/** The languages of the app. */
export type Lang = 'zh' | 'en'

/** A text in both languages. */
export interface Label {
  readonly zh: string
  readonly en: string
}

/**
 * A value of a field, by the field's type:
 *
 * | type | value |
 * | --- | --- |
 * | `text` `long_text` `code` `measure` | the text, or the code |
 * | `location` | `26.2157,110.8191` or `26.2157,110.8191;u=37` (RFC 5870) |
 * | `codes` | an array of codes |
 * | `date` | `2026-11-21` |
 * | `time` | `09:30` |
 * | `int` | a number |
 * | `decimal` | a text, `14.5`, so that no digit is lost |
 * | `bool` | true or false |
 * | `ref` `user` | the id |
 * | `refs` `users` | an array of ids |
 * | `list` | an array of items, each an object by the names of its parts |
 * | `blob` | the file's SHA-256, 64 hexadecimal digits |
 * | `blobs` | an array of those |
 *
 * Null clears a field.
 */
export type Value = null | string | number | boolean | Value[] | { readonly [part: string]: Value }

/** Values by the names of their fields. */
export type Values = { readonly [field: string]: Value }

/** Who may read a record's content: whoever may read the village; the team; the team and county; the village's own phones. */
export type Audience = 'village' | 'team' | 'county' | 'sensitive'

// -------------------------------------------------------------------------------------------------------------------- standing

/** A person, by id and by the name that teammates know. */
export interface Person {
  readonly id: UserId
  readonly name: string
}

/** How the core stands. The app shows its enrolment, lock or working screens by this alone. */
export type Standing =
  /** Nothing is on this phone: enrol it. */
  | { readonly is: 'empty' }
  /** Another tab has the core; this one takes over by itself when that one closes. */
  | { readonly is: 'elsewhere' }
  /** Enrolled, and locked: ask for the PIN. */
  | { readonly is: 'locked'; readonly triesLeft: number }
  /** Too many wrong PINs: the data key is gone. Sealed batches can still be handed over, by {@link Core.rescue}. */
  | { readonly is: 'destroyed'; readonly deliverable: number }
  /** The browser cleared the storage behind the app's back: what was not sent is lost; the server has the rest. */
  | { readonly is: 'cleared'; readonly remembered: Remembered }
  /** Working. */
  | ({ readonly is: 'open' } & Open)

/** An open core. */
export interface Open {
  readonly user: Person
  readonly deployment: Id
  readonly device: Id
  /** Commands that the server has not answered for, and files of saved records that it does not have. */
  readonly unsent: number
  /** Commands of this person that were refused or changed nothing, and files that the server does not take: they wait for him. */
  readonly toAnswer: number
  /** Batches carried for teammates. */
  readonly carried: number
  /** The session ended: ask for user name and password ({@link Core.logIn}); recording goes on meanwhile. */
  readonly loggedOut: boolean
  /** The server wants this phone to enrol anew ({@link Core.enrol} does so in place; what is unsent stays). */
  readonly enrolAgain: boolean
  /** Without a word from the server for longer than the lease: what others wrote is hidden. */
  readonly leaseOver: boolean
  /** The last word from the server. */
  readonly lastContact: Instant | null
  readonly sync: SyncState
}

/** What is remembered in the clear of a phone whose storage was cleared; no personal data. */
export interface Remembered {
  /** How many commands were unsent when that was last written down. */
  readonly unsent: number
  readonly at: Instant
}

/** What syncing is doing. */
export type SyncState =
  | { readonly is: 'idle'; readonly lastReport: SyncReport | null }
  | { readonly is: 'running' }

/** Why a call was rejected. Codes are stable; their words are the app's. */
export interface CoreErrorShape {
  readonly code: CoreErrorCode | (string & {})
  /** The field that it is about. */
  readonly field?: string
  /** Of a wrong PIN: how many more may be wrong. */
  readonly triesLeft?: number
  /** Of `would_not_count`: what would become of it. */
  readonly fate?: Fate
  /** What the server says is wrong, and what to do, in its own words. */
  readonly title?: Label
  readonly remedy?: Label
  /** When to try again. */
  readonly retryAfterSeconds?: number
  /** For the report that a person may send; never shown by itself. */
  readonly detail?: string
}

/** The codes that the core itself gives; a server's own come as they are. */
export type CoreErrorCode =
  // enrolment
  | 'not_a_code'
  | 'weak_pin_length'
  | 'weak_pin_guessed'
  | 'already_enrolled'
  | 'other_deployment'
  | 'unknown_protocol'
  // lock
  | 'locked'
  | 'not_enrolled'
  | 'wrong_pin'
  | 'destroyed'
  | 'other_device'
  // saving
  | 'unknown_journal'
  | 'not_assigned'
  | 'no_catalogue'
  | 'unknown_record'
  | 'form_closed'
  | 'in_conflict'
  | 'nothing_to_offer'
  | 'would_not_count'
  | 'unknown_field'
  | 'bad_value'
  | 'nothing_changed'
  // storage
  | 'storage_full'
  | 'storage_failed'
  | 'storage_damaged'
  | 'storage_cleared'
  | 'elsewhere'
  // files
  | 'file_too_big'
  | 'file_not_shown'
  // network
  | 'unreachable'
  | 'unreadable'
  | 'logged_out'
  | 'lying_server'
  // parcels
  | 'no_key'
  | 'bad_parcel'
  | 'other_parcel'
  // a fault of the app itself: the core was loaded anew from what is durable
  | 'broken'

/** A rejection. */
export class CoreError extends Error implements CoreErrorShape {
  readonly code: CoreErrorShape['code']
  readonly field?: string
  readonly triesLeft?: number
  readonly fate?: Fate
  readonly title?: Label
  readonly remedy?: Label
  readonly retryAfterSeconds?: number
  readonly detail?: string

  constructor(shape: CoreErrorShape) {
    super(shape.detail ? `${shape.code}: ${shape.detail}` : shape.code)
    this.name = 'CoreError'
    this.code = shape.code
    if (shape.field !== undefined) this.field = shape.field
    if (shape.triesLeft !== undefined) this.triesLeft = shape.triesLeft
    if (shape.fate !== undefined) this.fate = shape.fate
    if (shape.title !== undefined) this.title = shape.title
    if (shape.remedy !== undefined) this.remedy = shape.remedy
    if (shape.retryAfterSeconds !== undefined) this.retryAfterSeconds = shape.retryAfterSeconds
    if (shape.detail !== undefined) this.detail = shape.detail
  }
}

// ------------------------------------------------------------------------------------------------------------------- catalogue

/** What kinds of records there are, and how: the material of every form and list. */
export interface Catalogue {
  readonly version: number
  readonly issued: DateText
  readonly kinds: readonly Kind[]
  /** Sets of codes by name. */
  readonly sets: { readonly [set: string]: CategorySet }
  readonly measures: readonly Measure[]
  readonly roles: readonly RoleOf[]
  readonly papers: readonly Paper[]
}

/** A paper (文书) that is drafted from records: of a period, or about a record of a kind. */
export interface Paper {
  readonly name: string
  readonly label: Label
  readonly period: 'day' | 'month' | 'year' | null
  readonly about: string | null
}

/** A paper as it would be printed now. */
export interface Draft {
  readonly paper: string
  /** The village. */
  readonly place: string
  readonly period: { readonly first: DateText; readonly last: DateText } | null
  /** What the record is called that it is about. */
  readonly title: Label | null
  readonly sections: readonly DraftSection[]
}

export interface DraftSection {
  readonly label: Label
  /** What its columns are called; of two columns without names the first says what the second is. */
  readonly columns: readonly Label[]
  /** Each line names the record that it comes from. */
  readonly lines: readonly { readonly source: RecordId; readonly cells: readonly Label[] }[]
}

export interface RoleOf {
  readonly code: string
  readonly label: Label
}

export interface Kind {
  readonly name: string
  readonly label: Label
  readonly class: 'testimony' | 'register' | 'process'
  /** The field that stands for the record. */
  readonly title: string
  /** The fields that a list shows beside the title. */
  readonly list: readonly string[]
  /** The audiences that a new record may choose from; the first is proposed. */
  readonly audiences: readonly Audience[]
  /** In the order of forms. */
  readonly fields: readonly Field[]
  readonly states: readonly State[]
  readonly creations: readonly Creation[]
  readonly actions: readonly Action[]
  readonly retired: boolean
}

export interface Field {
  readonly name: string
  readonly label: Label
  readonly type: FieldType
  /** `creation`: a new record must bring it. `filing`: shown as missing before the record is filed or closed, never a gate. */
  readonly required: 'no' | 'creation' | 'filing'
  /** A new record that meets this must bring it. */
  readonly requiredWhen: Condition | null
  /** Who may read it, if not whoever may read the record. */
  readonly audience: Audience | null
  /** Shown masked until {@link Core.reveal}. */
  readonly masked: boolean
  /** `always`; at `creation` and by amendment; or by an `action` that lists it. */
  readonly written: 'always' | 'creation' | 'action'
  readonly closedIn: readonly string[]
  readonly derived: boolean
  /** What a form knows of other fields follows from it, and is asked for again when it changes. */
  readonly leads: boolean
  readonly retired: boolean
}

/** That a field of type `code` has one of some codes. */
export interface Condition {
  readonly field: string
  readonly is: readonly string[]
}

/** What a field holds. Bounds count code points, items or digits. */
export type FieldType =
  | { readonly is: 'text'; readonly max: number }
  | { readonly is: 'long_text'; readonly max: number }
  | { readonly is: 'code'; readonly set: string }
  | { readonly is: 'codes'; readonly set: string; readonly max: number }
  | { readonly is: 'measure' }
  | { readonly is: 'date' }
  | { readonly is: 'time' }
  | { readonly is: 'int'; readonly min: number; readonly max: number }
  | { readonly is: 'decimal'; readonly min: number; readonly max: number; readonly places: number }
  | { readonly is: 'bool' }
  | { readonly is: 'location' }
  | { readonly is: 'ref'; readonly kind: string | null }
  | { readonly is: 'refs'; readonly kind: string | null; readonly max: number }
  | { readonly is: 'user' }
  | { readonly is: 'users'; readonly max: number }
  | { readonly is: 'list'; readonly parts: readonly Part[]; readonly max: number }
  | { readonly is: 'blob' }
  | { readonly is: 'blobs'; readonly max: number }

/** A part of a list's item; of one of the plain types. */
export interface Part {
  readonly name: string
  readonly label: Label
  readonly type: FieldType
  readonly required: boolean
}

export interface State {
  readonly name: string
  readonly label: Label
  readonly initial: boolean
  /** The testimony stands: it is amended, no longer edited. */
  readonly filed: boolean
  /** Nothing more is expected. */
  readonly closed: boolean
}

export interface Creation {
  readonly roles: readonly string[]
  readonly state: string
}

export interface Action {
  readonly name: string
  readonly label: Label
  readonly from: readonly string[]
  readonly to: string | null
  readonly needsReason: boolean
  /** The fields that it must bring. */
  readonly needs: readonly string[]
  /** The fields that it may bring; those it must bring among them. */
  readonly writes: readonly string[]
  readonly retired: boolean
}

export interface CategorySet {
  readonly name: string
  readonly label: Label
  readonly codes: readonly Code[]
}

export interface Code {
  readonly code: string
  readonly label: Label
  /** Forms offer those in force today; the others are only read. */
  readonly inForce: boolean
}

export interface Measure {
  readonly id: string
  readonly title: string
  readonly paper: string
  readonly clause: string
  readonly inForce: boolean
}

// ----------------------------------------------------------------------------------------------------------------------- lists

/** A village on this phone. */
export interface Village {
  readonly journal: JournalId
  readonly name: string
  /** The role in which its user writes there; null if he has none any more. */
  readonly role: string | null
  /** The kinds of which he may make records there, in the order of the catalogue. */
  readonly creates: readonly string[]
  /** Who works there: what forms offer for `user` and `users` fields. Himself first. */
  readonly people: readonly Person[]
}

/** Where something is, from the least far to the furthest: 本机, 已发, 已收到. */
export type Reach = 'onPhone' | 'sent' | 'received'

/** A record in a list. */
export interface Row {
  readonly journal: JournalId
  readonly record: RecordId
  readonly kind: string
  readonly title: string
  readonly state: string | null
  readonly void: boolean
  /** The last thing that happened to it, as recorded. */
  readonly touched: Instant
  /** Where the least far of this person's own commands on it is. */
  readonly reach: Reach
  /** Some field is in 待核对. */
  readonly conflict: boolean
  /** The kind's list fields that have something to show, in order. */
  readonly shown: readonly { readonly field: string; readonly text: Label }[]
}

/** Which rows. */
export interface RowsQuery {
  /** Of which kind; of all if it is left out. */
  readonly kind?: string
  readonly journal?: JournalId
  /** In one of these states. */
  readonly states?: readonly string[]
  /** Which refer to this record: a household's visits and tasks. */
  readonly refersTo?: RecordId
  /** Hidden ones too. */
  readonly withVoid?: boolean
  /** Where to begin, and how many; all if left out. The last touched come first. */
  readonly from?: number
  readonly limit?: number
}

export interface Rows {
  readonly total: number
  readonly rows: readonly Row[]
}

/** How urgent due work is, most urgent first. */
export type Urgency =
  | 'clock'
  | 'returned'
  | 'conflict'
  | 'matter'
  | 'care'
  | 'task'
  | 'promise'
  | 'routine'

/** What is to be done today. */
export interface Today {
  readonly day: DateText
  /** In the order in which it is to be done. */
  readonly due: readonly DueLine[]
  /** How many of them are past their day. */
  readonly overdue: number
  readonly unsent: number
  readonly toAnswer: number
}

export interface DueLine {
  readonly row: Row
  /** What is to be done; null where one of several values is to be chosen. */
  readonly label: Label | null
  readonly urgency: Urgency
  /** The last day on which it is in time. */
  readonly due: DateText | null
  readonly overdue: boolean
  /** Since when it waits. */
  readonly since: Instant
}

/** A household, with the day of its last visit. */
export interface HouseholdLine {
  readonly row: Row
  readonly lastVisit: DateText | null
}

/** Which households somebody wants. */
export interface HouseholdsQuery {
  /** Found by name, pinyin or initials. */
  readonly text?: string
  /** These alone. */
  readonly records?: readonly RecordId[]
  readonly group?: string
  readonly limit: number
}

export interface Households {
  readonly lines: readonly HouseholdLine[]
  /** How many there are, those beyond the limit among them. */
  readonly total: number
  /** The villagers' groups of all households. */
  readonly groups: readonly string[]
}

/** What a search found. */
export interface Hit {
  readonly journal: JournalId
  readonly record: RecordId
  readonly kind: string
  readonly title: string
  readonly state: string | null
}

export interface SearchQuery {
  readonly text: string
  readonly kind?: string
  readonly limit?: number
}

// ---------------------------------------------------------------------------------------------------------------- one record

/** What became of a command. */
export type Fate =
  | { readonly is: 'accepted' }
  | { readonly is: 'flagged'; readonly flags: readonly string[] }
  /** 未生效 */
  | { readonly is: 'noEffect'; readonly code: string }
  /** 拒收 */
  | { readonly is: 'refused'; readonly code: string; readonly field: string | null }

/** Where a command is; once it is received, with its receipt. */
export type Whereabouts =
  | { readonly is: 'onPhone' }
  | { readonly is: 'sent' }
  | {
      readonly is: 'received'
      /** The entry of the village's journal that has it. */
      readonly seq: number
      /** When the server received it, once its entry is here. */
      readonly at: Instant | null
    }

/** Everything that a record's page needs. */
export interface RecordPage {
  readonly journal: JournalId
  readonly record: RecordId
  readonly kind: string
  readonly title: string
  /** Its number, which no other record ever has; null if its kind has none, or it was not received yet. */
  readonly number: string | null
  readonly state: string | null
  readonly author: Person | null
  readonly audience: Audience
  /** Why it is hidden; null if it is not. */
  readonly void: string | null
  readonly marks: readonly Mark[]
  /** The end of the journal that this page shows. */
  readonly seq: number
  /** In the order of the form: what has something to show, and what this person may write now. */
  readonly fields: readonly FieldOf[]
  readonly steps: readonly Step[]
  /** The actions that this person may take here, as far as this phone knows. */
  readonly actions: readonly Offered[]
  /** What this person may make from it: of which kind, and which of its fields then refers to this record. */
  readonly next: readonly Next[]
  /** Whether this person may hide the record, and amend it. */
  readonly mayVoid: boolean
  readonly mayAmend: boolean
  /** The audiences to which this person may open the record. */
  readonly mayOpenTo: readonly Audience[]
}

/** An action that may be taken; if it has to wait, the first day on which it counts. */
export interface Offered {
  readonly name: string
  readonly opens: DateText | null
}

/** A kind of which a record may be made from another, and its field that refers to that one. */
export interface Next {
  readonly kind: string
  readonly field: string
}

/** 疑点: what a self-check finds doubtful of a record. It warns, and stops nothing. */
export interface Doubt {
  readonly journal: JournalId
  readonly record: RecordId
  readonly kind: string
  readonly title: string
  readonly check: string
  readonly label: Label
}

/** Marks that concern a whole record. */
export type Mark = 'withheld' | 'erased' | 'overLimit' | 'setAside' | 'unknown'

export interface Checks {
  /** In the order of places. */
  readonly clusters: readonly Cluster[]
  /** In the order of the catalogue. */
  readonly doubts: readonly Doubt[]
}

/** 同因多户: the same cause at several households of a village or township, as far as this phone holds their records. */
export interface Cluster {
  /** The village or the township. */
  readonly place: string
  /** The kind of the records that tell of it. */
  readonly kind: string
  readonly cause: Label
  readonly households: number
  readonly since: DateText
}

/** A field of a record. */
export interface FieldOf {
  readonly name: string
  /** What it shows; null if nothing. */
  readonly shown: Shown | null
  /** This person may set, edit, insert into or remove from it now. Of one in 待核对: choose. */
  readonly maySet: boolean
  /** This person may amend it now, with a reason. */
  readonly mayAmend: boolean
  /** It should have a value before the record is filed or closed, and has none. */
  readonly missing: boolean
}

export type Shown =
  | ({ readonly is: 'value' } & Said)
  /** 待核对: several values that were written without sight of each other. */
  | { readonly is: 'conflict'; readonly said: readonly Said[] }
  | { readonly is: 'text'; readonly text: string; readonly masked: boolean }
  | { readonly is: 'items'; readonly items: readonly ({ readonly id: ItemId } & Said)[] }
  /** Something is written here that this person may not read here. */
  | { readonly is: 'withheld' }

/** A value, and who said it when. */
export interface Said {
  /** Null where it is masked. */
  readonly value: Value
  /** As it reads: codes by their labels, references by title, people by name. */
  readonly text: Label
  readonly masked: boolean
  readonly by: Person | null
  readonly own: boolean
  readonly at: Instant | null
  readonly receivedAt: Instant | null
}

export type Verb =
  | 'create'
  | 'set'
  | 'edit'
  | 'insert'
  | 'remove'
  | 'act'
  | 'amend'
  | 'void'
  | 'erase'
  | 'reveal'
  | 'seal'
  | 'clear'

/** One command in a record's timeline. */
export interface Step {
  /** Which command: by its device and its number in that device's lane. */
  readonly origin: Origin
  readonly verb: Verb
  readonly action: string | null
  readonly fields: readonly string[]
  readonly by: Person | null
  readonly own: boolean
  /** When it was recorded. */
  readonly at: Instant
  readonly where: Whereabouts
  readonly fate: Fate
  readonly reason: string | null
  /** What an amendment replaced. */
  readonly was: readonly { readonly field: string; readonly text: Label }[]
  /** What an action brought: the next one may bring something else. */
  readonly said: readonly { readonly field: string; readonly text: Label }[]
  /** Marks that were cleared since, and by whom. */
  readonly cleared: readonly { readonly cause: string; readonly by: Person | null }[]
}

/** A command's place: what offering it again names. */
export interface Origin {
  readonly device: Id
  readonly journal: JournalId
  readonly n: number
}

/** The receipt of a command, as this phone verified it. */
export interface Receipt {
  readonly seq: number
  readonly receivedAt: Instant | null
  /** The chain's head after the entry; null until the entry is here. */
  readonly head: string | null
  readonly fate: Fate
}

// --------------------------------------------------------------------------------------------------------------------- saving

/**
 * What a person asks for.
 *
 * Values name references, too: by the ids of what they refer to. A `long_text` is a value in `create`, `act` and `amend`; on an
 * existing record it is an `edit` that says what the person had before him and what he made of it. Items of a `list` or `blobs`
 * field are values in `create` and `act`, else `insert` and `remove`.
 */
export type Intent =
  | {
      readonly do: 'create'
      readonly kind: string
      readonly audience?: Audience
      readonly values: Values
    }
  | { readonly do: 'set'; readonly record: RecordId; readonly values: Values }
  | {
      readonly do: 'act'
      readonly record: RecordId
      readonly action: string
      readonly values?: Values
      readonly reason?: string
    }
  /** An action on the record, of this kind, that the same save makes before. */
  | { readonly do: 'act'; readonly made: string; readonly action: string }
  | {
      readonly do: 'amend'
      readonly record: RecordId
      readonly values: Values
      readonly reason: string
    }
  | { readonly do: 'void'; readonly record: RecordId; readonly reason: string }
  | {
      readonly do: 'edit'
      readonly record: RecordId
      readonly field: string
      readonly before: string
      readonly after: string
    }
  | {
      readonly do: 'insert'
      readonly record: RecordId
      readonly field: string
      readonly items: readonly Value[]
    }
  | {
      readonly do: 'remove'
      readonly record: RecordId
      readonly field: string
      readonly items: readonly ItemId[]
    }
  /** Settles a field in 待核对. */
  | {
      readonly do: 'choose'
      readonly record: RecordId
      readonly field: string
      readonly value: Value
    }
  /** Opens the record to a wider audience. */
  | { readonly do: 'open'; readonly record: RecordId; readonly audience: Audience }

/** What was saved. */
export interface Saved {
  /** The record; of a `create` the new one. */
  readonly record: RecordId
  /** What the server will make of each command, as far as this phone knows. */
  readonly fates: readonly Fate[]
  /** How many commands wait now, and files of saved records. */
  readonly unsent: number
}

// ---------------------------------------------------------------------------------------------------------------------- files

/**
 * A file of a record: a photograph or a recording. A field of type `blob` or `blobs` names it by its SHA-256.
 *
 * The file is durable before the command that names it is saved, and travels after it: once that has its receipt.
 */
export type FileHash = string

/** Whose file it is. */
export interface FileOf {
  readonly journal: JournalId
  readonly record: RecordId
}

/** What there is to show of a file. */
export type FileShown =
  | { readonly is: 'here'; readonly bytes: Uint8Array; readonly type: string }
  /** It is still on the phone that took it. */
  | { readonly is: 'awaited' }
  /** It is not on this phone, and the server cannot be asked now. */
  | { readonly is: 'offline' }
  /** It is not on this phone, and the server shows nothing. */
  | { readonly is: 'missing' }

/** A file of a saved record that the server does not have. */
export interface FileWaiting extends FileOf {
  readonly hash: FileHash
  readonly type: string
  readonly kind: string
  readonly field: string
  readonly title: string
  readonly takenAt: Instant
  readonly bytes: number
  /** How much of it the server has, as far as this phone knows. */
  readonly sent: number
  /** Its record's command has its receipt: it may go. */
  readonly ready: boolean
  /** Why the server does not take it; it is not offered again. */
  readonly refused: CoreErrorShape | null
  /** Why it did not get through the last time. */
  readonly trouble: CoreErrorShape | null
}

export interface FilesReport {
  readonly delivered: number
  /** How many still wait. */
  readonly waiting: number
  /** Why it ended early; what was exchanged before stays. */
  readonly error: CoreErrorShape | null
}

// --------------------------------------------------------------------------------------------------------------------- outbox

export interface Outbox {
  /** What the server has not answered for, oldest first. */
  readonly unsent: readonly Waiting[]
  /** What was refused or changed nothing, and neither offered again nor left aside. */
  readonly toAnswer: readonly Unanswered[]
  /** The same of teammates, where this person may read it: he may sign for it. */
  readonly ofOthers: readonly Unanswered[]
  /** What the server could not take at the last sync. */
  readonly heldBack: readonly HeldBack[]
  /** Parcels carried for teammates: how many batches, and their bytes. */
  readonly carried: { readonly batches: number; readonly bytes: number }
  /** What is to be sent, as it will travel. What is not sealed yet is counted before packing, so that it may turn out less. */
  readonly bytes: number
  /** Files of saved records that the server does not have, in the order in which they were taken. */
  readonly files: readonly FileWaiting[]
}

/** A command, told in a line. */
export interface CommandLine {
  readonly origin: Origin
  readonly record: RecordId
  readonly kind: string
  readonly title: string
  readonly verb: Verb
  readonly action: string | null
  readonly fields: readonly string[]
  readonly by: Person | null
  readonly at: Instant
}

export interface Waiting extends CommandLine {
  readonly where: 'onPhone' | 'sent'
  readonly bytes: number
}

export interface Unanswered extends CommandLine {
  readonly fate: Fate
  /** Whether its content is here, so that it can be offered again. */
  readonly mayOffer: boolean
}

export interface HeldBack {
  readonly journal: JournalId
  /** The first number of the batch. */
  readonly n: number
  /** `gap`, `forked`, `equivocation`, `busy`, `quota`, or what makes it unusable. */
  readonly code: string
  readonly retryAfterSeconds: number | null
}

// ------------------------------------------------------------------------------------------------------------------------ sync

export interface SyncReport {
  readonly at: Instant
  /** How many commands of this phone got their fates. */
  readonly answered: number
  /** How many entries came. */
  readonly entries: number
  /** How many batches carried for others the server took. */
  readonly delivered: number
  readonly heldBack: readonly HeldBack[]
  readonly enrolAgain: boolean
  /** Catalogue versions that could not be fetched: recording goes on under what is here. */
  readonly missingCatalogues: readonly number[]
  /** Entries given back to a server that had lost them. */
  readonly givenBack: number
  /** Why it ended early; what was exchanged before stays. Null if all went well. */
  readonly error: CoreErrorShape | null
  readonly unsent: number
}

// ---------------------------------------------------------------------------------------------------- the app's own, and events

/** What is kept in the clear: it must be known before the PIN is. */
export interface Settings {
  readonly lang: Lang | null
  /** In per cent of the browser's own. */
  readonly textSize: number
  readonly autoLockMinutes: number
  readonly wifiOnly: boolean
}

/** A draft, or a page of the private notebook: sealed under the data key, never sent. */
export interface Kept {
  readonly key: string
  readonly value: unknown
  readonly changedAt: Instant
}

export interface Storage {
  /** The browser has promised not to clear it by itself. */
  readonly persisted: boolean
  readonly usedBytes: number | null
  readonly quotaBytes: number | null
}

export type CoreEvent =
  /** These records are to be shown anew. */
  | {
      readonly is: 'changed'
      readonly records: readonly { readonly journal: JournalId; readonly record: RecordId }[]
    }
  /** This form stands on a later position; these fields changed under it and are to be shown. */
  | { readonly is: 'repinned'; readonly form: FormId; readonly fields: readonly string[] }
  | { readonly is: 'sync'; readonly state: SyncState }
  | { readonly is: 'standing'; readonly standing: Standing }

// -------------------------------------------------------------------------------------------------------------------- the core

export interface Core {
  standing(): Promise<Standing>

  /**
   * Enrols this phone with the server that the app came from. On a phone that is open it enrols anew in place: a new key, and
   * everything else as it was; the PIN must then be the present one.
   */
  enrol(code: string, label: string, pin: string): Promise<Standing>
  unlock(pin: string): Promise<Standing>
  /**
   * Signs and seals what was saved and never sent, so that it can still be handed over if the PIN is lost. It costs some bytes on the line: what
   * is sealed together is packed together. For when its person looks away.
   */
  sealWaiting(): Promise<void>
  /** Seals what waits, then wipes the data key from memory. Open forms are closed; their drafts stay. */
  lock(): Promise<void>
  changePin(old: string, next: string): Promise<void>
  /** Begins a session again. */
  logIn(userName: string, password: string): Promise<void>
  /** Forgets everything on this phone, what is unsent included. Ask its person twice, and offer {@link Core.exportParcel} first. */
  forget(): Promise<void>

  catalogue(): Promise<Catalogue>
  villages(): Promise<readonly Village[]>

  today(): Promise<Today>
  /** The households, longest waiting first; those whose names a text finds, best first. */
  households(query: HouseholdsQuery): Promise<Households>
  rows(query: RowsQuery): Promise<Rows>
  /** Titles that contain the text, or whose pinyin or initials begin words with it; best first. */
  search(query: SearchQuery): Promise<readonly Hit[]>
  /** Records of a kind whose titles are the same as the text, or sound the same. */
  alike(text: string, kind: string): Promise<readonly Hit[]>

  record(journal: JournalId, record: RecordId): Promise<RecordPage>
  /** What is doubtful of a record and of those that refer to it. */
  doubts(journal: JournalId, record: RecordId): Promise<readonly Doubt[]>
  /** What stands out of all that is on this phone: one cause at several households, and every doubt. */
  checks(): Promise<Checks>
  /** The register as the module that reads lists takes it, and the catalogue with it: see `web/src/lists/api.ts`. */
  roll(): Promise<Uint8Array>
  /** What would be doubtful of a record once this is saved. */
  doubtsBefore(journal: JournalId, intents: Intent | readonly Intent[]): Promise<readonly Label[]>
  /** A paper of the period in which a day lies, or about a record; null if there is none such. */
  paper(journal: JournalId, paper: string, asked: { readonly day: DateText } | { readonly record: RecordId }): Promise<Draft | null>
  receipt(origin: Origin): Promise<Receipt | null>
  /** Notes why a masked field is looked at, as a command like any other, and shows it whole. */
  reveal(journal: JournalId, record: RecordId, field: string, purpose: string): Promise<Shown>

  /** Opens a form on a record, or for a new one. It pins what its person is looking at. */
  openForm(journal: JournalId, record: RecordId | null): Promise<FormId>
  closeForm(form: FormId): Promise<void>
  /** What the form of a `create` or an `act` need not ask for: of the fields that say nothing in it yet, those of which something is known. */
  filled(journal: JournalId, intent: Intent): Promise<Values>
  /**
   * Saves what a person asked for: all of it or nothing. Through a form it stands on what the form was opened on, and closes it;
   * without one, on what is shown now.
   */
  save(
    journal: JournalId,
    form: FormId | null,
    intents: Intent | readonly Intent[],
  ): Promise<Saved>

  outbox(): Promise<Outbox>
  offerAgain(origin: Origin): Promise<Saved>
  leaveAside(origin: Origin): Promise<void>

  /** Syncs until there is nothing more to bring or to take. Never rejects for the network's sake: see {@link SyncReport.error}. */
  sync(): Promise<SyncReport>

  /**
   * Keeps a file of a record that is yet to be saved: durable and sealed when it resolves. What no save and no draft names is
   * forgotten when the phone is next unlocked.
   */
  keepFile(bytes: Uint8Array, type: string): Promise<FileHash>
  /** Forgets a file on this phone; the server's stays. */
  dropFile(hash: FileHash): Promise<void>
  /** A file: from this phone, or, of a record, from the server; that one is not kept. */
  file(hash: FileHash, of: FileOf | null): Promise<FileShown>
  /**
   * Hands over the files whose records the server has, piece by piece, from where it was broken off. Never rejects for the
   * network's sake: see {@link FilesReport.error}.
   */
  sendFiles(): Promise<FilesReport>

  /** What is unsent, sealed for the server so that anybody can carry it, but for files; null if nothing waits. */
  exportParcel(): Promise<Uint8Array | null>
  /** Takes a teammate's parcel along: how many batches it brings. */
  carry(parcel: Uint8Array): Promise<number>
  /** What a phone whose PIN is lost still hands over; needs no PIN. Null if nothing waits. */
  rescue(): Promise<Uint8Array | null>

  /** Durable when it resolves. Small: it is called at every keystroke. */
  putDraft(key: string, value: unknown): Promise<void>
  draft(key: string): Promise<Kept | null>
  drafts(): Promise<readonly Kept[]>
  dropDraft(key: string): Promise<void>

  putNote(key: string, value: unknown): Promise<void>
  notes(): Promise<readonly Kept[]>
  dropNote(key: string): Promise<void>

  settings(): Promise<Settings>
  putSettings(change: Partial<Settings>): Promise<Settings>

  /** Asks the browser not to clear the storage by itself. */
  persist(): Promise<Storage>
  storage(): Promise<Storage>

  /** Calls back at every event until the returned function is called. */
  on(listener: (event: CoreEvent) => void): () => void
}
