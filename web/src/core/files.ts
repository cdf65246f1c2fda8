/**
 * Files of records (photographs, recordings) on their way: kept sealed from the moment they are taken, handed to the server once it
 * has the record that names them, and forgotten here when it has them whole.
 *
 * Beside the sealed bytes lies a slip that says what the file is and which field of which record names it.
 */
import {
  CoreError,
  type CoreErrorShape,
  type FileHash,
  type FileOf,
  type FileShown,
  type FileWaiting,
  type FilesReport,
  type Hit,
  type Instant,
  type Intent,
  type Outbox,
  type RecordId,
} from './api'
import type { Had, Net } from './net'
import type { Core as Phone, Outcome } from './pkg/web_wasm.js'
import type { Store, Stored } from './store'

/** What the files need of the shell that they are in. */
export interface Around {
  readonly net: Net
  now(): Instant
  store(): Store
  phone(): Phone
  call<T>(run: () => T): T
  alone<T>(run: () => T | Promise<T>): Promise<T>
  /** What goes with a request. */
  access(): Promise<string>
  /** What is unsent changed. */
  tell(): Promise<unknown>
}

interface Slip {
  readonly type: string
  readonly bytes: number
  readonly takenAt: Instant
  /** Nothing while it is in a form. */
  readonly named: Named | null
  readonly refused: CoreErrorShape | null
}

interface Named extends FileOf {
  readonly field: string
}

/** Slips to be put in place once the outcome that they belong to is durable. */
export interface Naming {
  readonly stored: readonly Stored[]
  done(): void
}

const SLIP = 'slip/'
/** Where the core keeps the shell's own values, and files among them. */
const OWN = 'shell/'
const FILE = `${OWN}file/`
/** What is handed over at a time: at first, at least and at most. Halved when the line breaks, doubled when it holds. */
const PIECE_BYTES = { first: 256 * 1024, least: 32 * 1024, most: 1024 * 1024 } as const
/** How often the server may be no further after a piece before the file is left for later. */
const STANDSTILLS_MAX = 3
/** The largest file that a server takes. */
export const FILE_BYTES_MAX = 8 * 1024 * 1024
/** What is shown of what a server sends. */
const SHOWN = /^(image\/(jpeg|webp)|audio\/(webm|mp4|ogg))$/
/** That the server shows no such file of a record that names it here. */
const NOT_SHOWN = 'file_not_shown'
/** What arrived is another file: a piece of an earlier time was not what it should be. */
const OTHER = 'file_digest'
const HASH = /^[0-9a-f]{64}$/

export class Files {
  private readonly slips = new Map<FileHash, Slip>()
  /** How much of each the server has, and what was in the way the last time: not worth keeping. */
  private readonly sent = new Map<FileHash, number>()
  private readonly troubles = new Map<FileHash, CoreErrorShape>()
  private piece: number = PIECE_BYTES.first

  constructor(private readonly around: Around) {}

  /** How many wait for the network, and how many for their person. */
  get counts(): { readonly waiting: number; readonly refused: number } {
    const named = [...this.slips.values()].filter((slip) => slip.named !== null)
    const refused = named.filter((slip) => slip.refused !== null).length
    return { waiting: named.length - refused, refused }
  }

  // ------------------------------------------------------------------------------------------------- within a turn of the shell

  /** Reads the slips: the phone was unlocked. */
  async load(): Promise<void> {
    this.clear()
    for (const [name, sealed] of await this.around.store().all(OWN + SLIP)) {
      const hash = name.slice((OWN + SLIP).length)
      const text = this.around.call(() => this.around.phone().openOwn(SLIP + hash, sealed))
      this.slips.set(hash, JSON.parse(text) as Slip)
    }
  }

  clear(): void {
    this.slips.clear()
    this.sent.clear()
    this.troubles.clear()
  }

  /** Forgets what no save and none of the drafts names: nobody would ever see it again. */
  async forgetUnnamed(drafts: string): Promise<void> {
    const unnamed = [...this.slips].filter(([hash, slip]) => slip.named === null && !drafts.includes(hash))
    for (const [hash] of unnamed) await this.drop(hash)
  }

  async keep(bytes: Uint8Array, type: string): Promise<FileHash> {
    if (bytes.length > FILE_BYTES_MAX) throw new CoreError({ code: 'file_too_big' })
    const { hash, stored } = this.around.call(() => {
      const outcome = this.around.phone().sealFile(bytes)
      return { hash: JSON.parse(outcome.value) as FileHash, stored: storedBy(outcome) }
    })
    // The same again is there already.
    if (this.slips.has(hash)) return hash
    const slip: Slip = { type, bytes: bytes.length, takenAt: this.around.now(), named: null, refused: null }
    await this.around.store().put([...stored, ...this.sealed(hash, slip)])
    this.slips.set(hash, slip)
    return hash
  }

  async drop(hash: FileHash): Promise<void> {
    if (!HASH.test(hash)) throw new CoreError({ code: 'bad_value' })
    const stored = this.around.call(() => storedBy(this.around.phone().dropFile(hash)))
    await this.around.store().put([...stored, ...this.sealed(hash, null)])
    this.slips.delete(hash)
    this.sent.delete(hash)
    this.troubles.delete(hash)
  }

  /** That the files which intents name belong to a record from now on: durable together with what names them. */
  naming(of: FileOf, intents: Intent | readonly Intent[]): Naming {
    const named = [...fieldsOf(intents)].filter(([hash]) => this.slips.has(hash))
    return this.renaming(named.map(([hash, field]) => [hash, { ...of, field }]))
  }

  /** That the files of a record belong to the one that takes its place. */
  moving(from: FileOf, to: RecordId): Naming {
    const moved = [...this.slips].flatMap(([hash, { named }]): [FileHash, Named][] =>
      named && named.journal === from.journal && named.record === from.record ? [[hash, { ...named, record: to }]] : [],
    )
    return this.renaming(moved)
  }

  private renaming(named: readonly (readonly [FileHash, Named])[]): Naming {
    const slips = named.flatMap(([hash, to]): [FileHash, Slip][] => {
      const slip = this.slips.get(hash)
      return slip ? [[hash, { ...slip, named: to }]] : []
    })
    return {
      stored: slips.flatMap(([hash, slip]) => this.sealed(hash, slip)),
      done: () => {
        for (const [hash, slip] of slips) this.slips.set(hash, slip)
      },
    }
  }

  private sealed(hash: FileHash, slip: Slip | null): Stored[] {
    const text = slip ? JSON.stringify(slip) : undefined
    return this.around.call(() => storedBy(this.around.phone().sealOwn(SLIP + hash, text)))
  }

  /** What the outbox says of them. */
  waiting(outbox: Pick<Outbox, 'unsent' | 'toAnswer'>): FileWaiting[] {
    const waiting = [...this.slips].flatMap(([hash, slip]): FileWaiting[] => {
      if (!slip.named) return []
      const { journal, record, field } = slip.named
      const hit = JSON.parse(
        this.around.call(() => this.around.phone().title(journal, record, this.around.now())),
      ) as Hit | null
      // What is refused is settled with its command: until then the server knows of no such file.
      const commands = [...outbox.unsent, ...outbox.toAnswer]
      const ready = !commands.some((line) => line.record === record && line.fields.includes(field))
      return [
        {
          hash,
          journal,
          record,
          field,
          kind: hit?.kind ?? '',
          title: hit?.title ?? '',
          type: slip.type,
          takenAt: slip.takenAt,
          bytes: slip.bytes,
          sent: this.sent.get(hash) ?? 0,
          ready,
          refused: slip.refused,
          trouble: this.troubles.get(hash) ?? null,
        },
      ]
    })
    return waiting.sort((one, other) => one.takenAt - other.takenAt)
  }

  private async opened(hash: FileHash): Promise<Uint8Array | null> {
    const sealed = await this.around.store().get(FILE + hash)
    return sealed ? this.around.call(() => this.around.phone().openFile(hash, sealed)) : null
  }

  /** Whether its record still names a file, as far as this phone knows. */
  private isNamed(file: FileWaiting): boolean {
    try {
      const { journal, record, field } = file
      return this.around.phone().unmasked(journal, record, field, this.around.now()).includes(file.hash)
    } catch {
      return false // the record or the field is gone
    }
  }

  // ------------------------------------------------------------------------------------------------------- with turns of its own

  async shown(hash: FileHash, of: FileOf | null): Promise<FileShown> {
    if (!HASH.test(hash)) throw new CoreError({ code: 'bad_value' })
    const here = await this.around.alone(() => this.opened(hash))
    const type = this.slips.get(hash)?.type
    if (here && type) return { is: 'here', bytes: here, type }
    if (!of) return { is: 'missing' }
    try {
      const fetched = await this.around.net.fetched(pathOf(of, hash), await this.around.access())
      if (!SHOWN.test(fetched.type) || (await hashOf(fetched.bytes)) !== hash) return { is: 'missing' }
      return { is: 'here', ...fetched }
    } catch (error) {
      const code = error instanceof CoreError ? error.code : ''
      if (code === 'file_awaited') return { is: 'awaited' }
      return { is: isAbsent(code) ? 'missing' : 'offline' }
    }
  }

  /** Hands over, one after the other, what may go. */
  async send(outbox: () => Pick<Outbox, 'unsent' | 'toAnswer'>): Promise<FilesReport> {
    const tried = new Set<FileHash>()
    let [delivered, error]: [number, CoreErrorShape | null] = [0, null]
    for (;;) {
      const next = await this.around.alone(() =>
        this.waiting(outbox()).find((file) => file.ready && !file.refused && !tried.has(file.hash)),
      )
      if (!next) break
      tried.add(next.hash)
      try {
        if (await this.delivered(next)) delivered += 1
        this.troubles.delete(next.hash)
      } catch (thrown) {
        error = thrown instanceof CoreError ? thrown : new CoreError({ code: 'broken', detail: String(thrown) })
        this.troubles.set(next.hash, error)
      }
      await this.around.tell()
      // What is wrong with one file alone keeps none of the others.
      if (error && error.code !== NOT_SHOWN) break
    }
    return { delivered, waiting: this.counts.waiting, error }
  }

  private async delivered(file: FileWaiting): Promise<boolean> {
    const { hash } = file
    const path = pathOf(file, hash)
    let had: Had
    try {
      had = await this.around.net.had(path, await this.around.access())
    } catch (error) {
      if (!(error instanceof CoreError && isAbsent(error.code))) throw error
      // Whoever took it off the record meanwhile wants it delivered no more.
      if (await this.around.alone(() => this.isNamed(file))) throw new CoreError({ code: NOT_SHOWN })
      await this.around.alone(() => this.drop(hash))
      return false
    }
    if (!had.complete) {
      const bytes = await this.around.alone(() => this.opened(hash))
      if (!bytes) throw new CoreError({ code: 'storage_damaged' })
      const refused = await this.handed(path, hash, bytes, had)
      if (refused) {
        await this.around.alone(() => this.refuse(hash, refused))
        return false
      }
    }
    await this.around.alone(() => this.drop(hash))
    return true
  }

  /** Hands over what the server lacks; why not, if it takes the file in no case. */
  private async handed(path: string, hash: FileHash, bytes: Uint8Array, from: Had): Promise<CoreErrorShape | null> {
    let [had, standstills, begun] = [from, 0, from.offset > 0]
    while (!had.complete) {
      if (had.offset > bytes.length || standstills > STANDSTILLS_MAX) throw new CoreError({ code: 'unreadable' })
      if (this.sent.get(hash) !== had.offset) {
        this.sent.set(hash, had.offset)
        await this.around.tell()
      }
      const end = Math.min(had.offset + this.piece, bytes.length)
      const piece = { offset: had.offset, bytes: bytes.subarray(had.offset, end), last: end === bytes.length }
      const access = await this.around.access()
      const said = await this.around.net.hand(path, access, piece).catch((error: unknown) => {
        this.piece = Math.max(PIECE_BYTES.least, this.piece / 2)
        throw error
      })
      if ('refused' in said) {
        // What was handed over at another time is not to be trusted; what is handed over now is.
        if (said.refused.code !== OTHER || !begun) return said.refused
        begun = false
        had = { offset: 0, complete: false }
        continue
      }
      standstills = said.offset > had.offset ? 0 : standstills + 1
      this.piece = Math.min(PIECE_BYTES.most, this.piece * 2)
      had = said
    }
    return null
  }

  private async refuse(hash: FileHash, refused: CoreErrorShape): Promise<void> {
    const slip = this.slips.get(hash)
    if (!slip) return
    const next = { ...slip, refused }
    await this.around.store().put(this.sealed(hash, next))
    this.slips.set(hash, next)
  }
}

function storedBy(outcome: Outcome): Stored[] {
  const stored = outcome.stored as Stored[]
  outcome.free()
  return stored
}

function pathOf(of: FileOf, hash: FileHash): string {
  return `/v1/journals/${of.journal}/records/${of.record}/files/${hash}`
}

/** A server says so of what it does not show, whatever the reason; to a `HEAD` it gives no code. */
function isAbsent(code: string): boolean {
  return code === 'not_found' || code === 'http_404'
}

async function hashOf(bytes: Uint8Array): Promise<FileHash> {
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The fields that intents write, with every text in them that may name a file. */
function* fieldsOf(intents: Intent | readonly Intent[]): Generator<[FileHash, string]> {
  for (const intent of Array.isArray(intents) ? (intents as readonly Intent[]) : [intents as Intent]) {
    if ('values' in intent) for (const [field, value] of Object.entries(intent.values ?? {})) yield* textsOf(field, value)
    if (intent.do === 'insert') yield* textsOf(intent.field, intent.items)
    if (intent.do === 'choose') yield* textsOf(intent.field, intent.value)
  }
}

function* textsOf(field: string, value: unknown): Generator<[FileHash, string]> {
  if (typeof value === 'string' && HASH.test(value)) yield [value, field]
  if (Array.isArray(value)) for (const one of value) yield* textsOf(field, one)
}
