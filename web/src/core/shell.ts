/**
 * The shell around the core: it makes durable what the core hands out before it says anything, and puts the core's questions to the
 * server. It decides nothing else.
 *
 * Calls run one at a time, so that nobody sees what is not durable yet; while a sync waits for the network others run in between.
 */
import {
  CoreError,
  type Core,
  type CoreErrorShape,
  type CoreEvent,
  type FilesReport,
  type HeldBack,
  type Hit,
  type Households,
  type HouseholdsQuery,
  type Kept,
  type Open,
  type Outbox,
  type Remembered,
  type Saved,
  type SearchQuery,
  type Settings,
  type Standing,
  type SyncReport,
  type SyncState,
  type Today,
} from './api'
import { Files, type Naming } from './files'
import { Finder } from './find'
import type { Ask, Net } from './net'
import type { Core as Phone, Outcome } from './pkg/web_wasm.js'
import { secretOf } from './secret'
import { Store, type Stored } from './store'

/** The module's class; a test brings its own. */
export type PhoneClass = typeof Phone

/** What the worker leaves to the page: only that can ask the browser for storage that lasts. */
export type Served = Omit<Core, 'on' | 'persist' | 'storage'>

export interface World {
  readonly phone: PhoneClass
  readonly net: Net
  readonly now: () => number
  readonly tell: (event: CoreEvent) => void
  /** What the page remembers of a phone that was enrolled here; null if none was. */
  readonly remembered: Remembered | null
}

/** What the core says of how it stands. */
interface Told {
  readonly hasVault: boolean
  readonly destroyed: boolean
  readonly triesLeft: number | null
  readonly unlocked: boolean
  readonly open: Omit<Open, 'sync'> | null
}

const VAULT = 'vault'
const CARD = 'card'
const IDENTITY = 'identity'
const DRAFT = 'draft/'
const NOTE = 'note/'
/** Where the core keeps the shell's own values. */
const OWN = 'shell/'
const SETTINGS = 'settings'
/** Of more households than these nobody looks for one by its name alone. */
const FOUND_MAX = 200
const ALIKE_MAX = 5
/** Long enough for a screen to ask for what it shows. */
const AHEAD_PAUSE_MILLIS = 200
const AT_FIRST: Settings = { lang: null, textSize: 100, autoLockMinutes: 5, wifiOnly: false }

export class Shell implements Served {
  private last: Promise<unknown> = Promise.resolve()
  private phone: Phone | null = null
  private finder: Finder | null = null
  private heldBack: readonly HeldBack[] = []
  private lastReport: SyncReport | null = null
  private syncing: Promise<SyncReport> | null = null
  private sending: Promise<FilesReport> | null = null
  private wasCleared = false
  private readonly files: Files

  private constructor(
    private readonly world: World,
    private store: Store,
    private fresh: boolean,
  ) {
    this.files = new Files({
      net: world.net,
      now: world.now,
      store: () => this.store,
      phone: () => this.core(),
      call: (run) => this.call(run),
      alone: (run) => this.alone(run),
      access: () => this.access(),
      tell: () => this.alone(() => this.tellStanding()),
    })
  }

  static async start(world: World): Promise<Shell> {
    let shell: Shell | null = null
    const store = await Store.open(() => shell?.lostStorage())
    shell = new Shell(world, store, true)
    await shell.begin()
    return shell
  }

  private async begin(): Promise<void> {
    const state = await this.store.get(VAULT)
    this.fresh = (await this.store.get(IDENTITY)) === undefined
    this.wasCleared = this.fresh && this.world.remembered !== null
    this.phone?.free()
    this.phone = null
    this.phone = this.made(await secretOf(this.store), state)
  }

  private made(secret: Uint8Array, state: Uint8Array | undefined): Phone {
    return this.call(() => new this.world.phone(secret, state))
  }

  // ------------------------------------------------------------------------------------------------------------------ standing

  async standing(): Promise<Standing> {
    return this.alone(() => this.stands())
  }

  private async stands(): Promise<Standing> {
    const told = this.told()
    if (told.open) {
      const { waiting, refused } = this.files.counts
      const [unsent, toAnswer] = [told.open.unsent + waiting, told.open.toAnswer + refused]
      return { is: 'open', ...told.open, unsent, toAnswer, sync: this.syncState() }
    }
    if (this.wasCleared && this.world.remembered) return { is: 'cleared', remembered: this.world.remembered }
    if (this.fresh) return { is: 'empty' }
    if (told.destroyed) {
      const names = await this.store.names()
      return { is: 'destroyed', deliverable: names.filter((name) => this.world.phone.isDeliverable(name)).length }
    }
    return { is: 'locked', triesLeft: told.triesLeft ?? 0 }
  }

  private told(): Told {
    return JSON.parse(this.core().standing(this.world.now())) as Told
  }

  private async tellStanding(): Promise<Standing> {
    const standing = await this.stands()
    this.world.tell({ is: 'standing', standing })
    return standing
  }

  private syncState(): SyncState {
    return this.syncing ? { is: 'running' } : { is: 'idle', lastReport: this.lastReport }
  }

  async enrol(code: string, label: string, pin: string): Promise<Standing> {
    await this.alone(async () => {
      this.call(() => this.world.phone.checkCode(code))
      if (this.told().open) await this.tried(pin)
      else await this.vaultFor(pin)
    })
    // A phone that enrols anew is worked on meanwhile.
    const deployment = await this.world.net.get('/v1/deployment')
    const body = await this.alone(
      () => JSON.parse(this.call(() => this.core().beginEnrolment(code, label, deployment))) as unknown,
    )
    const answer = await this.world.net.postJson('/v1/enrol', body)
    return this.alone(async () => {
      await this.done(this.call(() => this.core().endEnrolment(answer, this.world.now())))
      this.fresh = false
      this.wasCleared = false
      return this.tellStanding()
    })
  }

  /** The store comes first: storage that takes nothing uses up no code. */
  private async vaultFor(pin: string): Promise<void> {
    if (!this.fresh) throw new CoreError({ code: 'already_enrolled' })
    this.call(() => this.world.phone.checkPin(pin))
    await this.done(this.call(() => this.core().create(pin)))
  }

  async unlock(pin: string): Promise<Standing> {
    return this.alone(async () => {
      if (this.fresh) throw new CoreError({ code: 'not_enrolled' })
      await this.countTry()
      // What is sealed is read while the PIN is tried: the one keeps the disk busy, the other the processor.
      const values = this.store.all()
      // Who typed another PIN is told that, and not what became of the reading.
      values.catch(() => undefined)
      await this.makeTry(pin)
      await this.loaded(await values)
      await this.files.forgetUnnamed(await this.draftTexts())
      void this.foldAhead()
      return this.tellStanding()
    })
  }

  /** Lets the core make up its records between what is asked, so that no list has to wait for them. */
  private async foldAhead(): Promise<void> {
    try {
      do await new Promise((resolve) => setTimeout(resolve, AHEAD_PAUSE_MILLIS))
      while (await this.alone(() => this.call(() => this.core().foldAhead())))
    } catch {
      // It was locked meanwhile.
    }
  }

  /** A try is counted durably before it is made, and its outcome is durable before it is told. */
  private async tried(pin: string): Promise<void> {
    await this.countTry()
    await this.makeTry(pin)
  }

  private async countTry(): Promise<void> {
    await this.done(this.call(() => this.core().beginTry()))
  }

  private async makeTry(pin: string): Promise<void> {
    const fault = await this.done<CoreErrorShape | null>(this.call(() => this.core().tryPin(pin)))
    if (fault === null) return
    if (fault.triesLeft === 0) await this.tellStanding()
    throw errorOf(fault)
  }

  private async loaded(values: [name: string, value: Uint8Array][]): Promise<void> {
    this.call(() => this.core().load(values))
    this.finder = null
    await this.files.load()
  }

  sealWaiting(): Promise<void> {
    return this.alone(() => this.done(this.call(() => this.core().sealWaiting(this.world.now()))))
  }

  async lock(): Promise<void> {
    // A phone that is full is locked all the same.
    await this.sealWaiting().catch(() => undefined)
    await this.alone(async () => {
      this.core().lock()
      this.finder = null
      this.files.clear()
      await this.tellStanding()
    })
  }

  async changePin(old: string, next: string): Promise<void> {
    await this.alone(async () => {
      this.call(() => this.world.phone.checkPin(next))
      await this.tried(old)
      await this.done(this.call(() => this.core().changePin(next)))
    })
  }

  async logIn(userName: string, password: string): Promise<void> {
    const body = await this.alone(() => JSON.parse(this.call(() => this.core().logIn(userName, password))) as unknown)
    const answer = await this.world.net.postJson('/v1/session', body)
    await this.alone(async () => {
      await this.done(this.call(() => this.core().loggedIn(answer, this.world.now())))
      await this.tellStanding()
    })
  }

  async forget(): Promise<void> {
    await this.alone(async () => {
      this.core().lock()
      const settings = await this.store.plain(SETTINGS)
      await this.store.clear()
      if (settings !== undefined) await this.store.putPlain(SETTINGS, settings)
      this.finder = null
      this.files.clear()
      await this.begin()
      this.wasCleared = false
      await this.tellStanding()
    })
  }

  // ------------------------------------------------------------------------------------------------------------------- looking

  catalogue = this.read((phone, now) => phone.catalogue(now)) as Core['catalogue']
  villages = this.read((phone, now) => phone.villages(now)) as Core['villages']
  today = this.read((phone, now) => this.withFiles(phone.today(now))) as Core['today']
  rows = this.read((phone, now, query: unknown) => phone.rows(JSON.stringify(query), now)) as Core['rows']
  record = this.read((phone, now, journal: string, record: string) =>
    phone.record(journal, record, now),
  ) as Core['record']
  doubts = this.read((phone, now, journal: string, record: string) => phone.doubts(journal, record, now)) as Core['doubts']
  checks = this.read((phone, now) => phone.checks(now)) as Core['checks']
  doubtsBefore = this.read((phone, now, journal: string, intents: unknown) =>
    phone.doubtsBefore(journal, JSON.stringify(intents), now),
  ) as Core['doubtsBefore']
  paper = this.read((phone, now, journal: string, paper: string, asked: unknown) =>
    phone.draft(journal, paper, JSON.stringify(asked), now),
  ) as Core['paper']
  receipt = this.read((phone, _, origin: unknown) => phone.receipt(JSON.stringify(origin))) as Core['receipt']

  async roll(): Promise<Uint8Array> {
    return this.alone(() => this.call(() => this.core().roll(this.world.now())))
  }

  async search(query: SearchQuery): Promise<readonly Hit[]> {
    return this.alone(() => this.found(query))
  }

  async households({ text, ...query }: HouseholdsQuery): Promise<Households> {
    return this.alone(() => {
      const hits = text === undefined ? null : this.found({ text, kind: 'household', limit: FOUND_MAX })
      const asked = hits ? { ...query, records: hits.map((hit) => hit.record) } : query
      return JSON.parse(this.call(() => this.core().households(JSON.stringify(asked), this.world.now()))) as Households
    })
  }

  async alike(text: string, kind: string): Promise<readonly Hit[]> {
    return this.alone(() => this.titles().alike(text, kind, ALIKE_MAX))
  }

  private found({ text, kind, limit }: SearchQuery): readonly Hit[] {
    return this.titles().search(text, kind, limit)
  }

  private titles(): Finder {
    this.finder ??= new Finder(JSON.parse(this.call(() => this.core().titles(this.world.now()))) as Hit[])
    return this.finder
  }

  async reveal(journal: string, record: string, field: string, purpose: string) {
    return this.alone(async () => {
      const intent = JSON.stringify({ do: 'reveal', record, field, reason: purpose })
      await this.done(this.call(() => this.core().save(journal, undefined, intent, this.world.now())))
      return JSON.parse(this.call(() => this.core().unmasked(journal, record, field, this.world.now())))
    })
  }

  private withFiles(said: string): string {
    const today = JSON.parse(said) as Today
    const { waiting, refused } = this.files.counts
    return JSON.stringify({ ...today, unsent: today.unsent + waiting, toAnswer: today.toAnswer + refused })
  }

  private read<Given extends unknown[]>(
    ask: (phone: Phone, now: number, ...given: Given) => string,
  ): (...given: Given) => Promise<unknown> {
    return (...given) =>
      this.alone(() => JSON.parse(this.call(() => ask(this.core(), this.world.now(), ...given))) as unknown)
  }

  // -------------------------------------------------------------------------------------------------------------------- saving

  async openForm(journal: string, record: string | null): Promise<number> {
    return this.alone(() => this.call(() => this.core().openForm(journal, record ?? undefined)))
  }

  async closeForm(form: number): Promise<void> {
    await this.alone(() => this.call(() => this.core().closeForm(form)))
  }

  filled = this.read((phone, now, journal: string, intent: unknown) =>
    phone.filled(journal, JSON.stringify(intent), now),
  ) as Core['filled']

  async save(...[journal, form, intents]: Parameters<Core['save']>): ReturnType<Core['save']> {
    return this.alone(() => {
      const asked = JSON.stringify(intents)
      const outcome = this.call(() => this.core().save(journal, form ?? undefined, asked, this.world.now()))
      const { record } = JSON.parse(outcome.value) as Saved
      return this.saved(outcome, this.files.naming({ journal, record }, intents))
    })
  }

  async offerAgain(...[origin]: Parameters<Core['offerAgain']>): ReturnType<Core['offerAgain']> {
    return this.alone(() => {
      const { toAnswer } = this.waits()
      const offered = toAnswer.find((line) => JSON.stringify(line.origin) === JSON.stringify(origin))
      const outcome = this.call(() => this.core().offerAgain(JSON.stringify(origin), this.world.now()))
      const { record } = JSON.parse(outcome.value) as Saved
      // A record that was refused is made anew, by another name.
      const from = { journal: origin.journal, record: offered?.record ?? record }
      return this.saved(outcome, this.files.moving(from, record))
    })
  }

  private async saved(outcome: Outcome, naming: Naming): Promise<Saved> {
    const saved = await this.done<Saved>(outcome, naming)
    return { ...saved, unsent: saved.unsent + this.files.counts.waiting }
  }

  async leaveAside(...[origin]: Parameters<Core['leaveAside']>): Promise<void> {
    await this.alone(() => this.done(this.call(() => this.core().leaveAside(JSON.stringify(origin)))))
  }

  async outbox(): Promise<Outbox> {
    return this.alone(() => {
      const outbox = this.waits()
      return { ...outbox, heldBack: this.heldBack, files: this.files.waiting(outbox) }
    })
  }

  private waits(): Omit<Outbox, 'heldBack' | 'files'> {
    return JSON.parse(this.call(() => this.core().outbox(this.world.now()))) as Omit<Outbox, 'heldBack' | 'files'>
  }

  // --------------------------------------------------------------------------------------------------------------------- files

  async keepFile(...[bytes, type]: Parameters<Core['keepFile']>): ReturnType<Core['keepFile']> {
    return this.alone(() => this.files.keep(bytes, type))
  }

  async dropFile(...[hash]: Parameters<Core['dropFile']>): Promise<void> {
    await this.alone(async () => {
      await this.files.drop(hash)
      await this.tellStanding()
    })
  }

  async file(...[hash, of]: Parameters<Core['file']>): ReturnType<Core['file']> {
    return this.files.shown(hash, of)
  }

  /** Whoever asks while files are being sent gets that one's report. */
  sendFiles(): Promise<FilesReport> {
    this.sending ??= this.files.send(() => this.waits()).finally(() => (this.sending = null))
    return this.sending
  }

  /** What goes with a request beside the sync; that fetches it where it has ended. */
  private async access(): Promise<string> {
    const known = (): Promise<string | null> =>
      this.alone(() => JSON.parse(this.call(() => this.core().access(this.world.now()))) as string | null)
    const access = await known()
    if (access !== null) return access
    const { error } = await this.sync()
    const fetched = await known()
    if (fetched === null) throw new CoreError(error ?? { code: 'logged_out' })
    return fetched
  }

  // ---------------------------------------------------------------------------------------------------------------------- sync

  /** Whoever asks while a sync runs gets that one's report. */
  sync(): Promise<SyncReport> {
    this.syncing ??= this.synced().finally(() => {
      this.syncing = null
      this.world.tell({ is: 'sync', state: this.syncState() })
    })
    return this.syncing
  }

  private async synced(): Promise<SyncReport> {
    this.world.tell({ is: 'sync', state: { is: 'running' } })
    await this.alone(() => this.call(() => this.core().beginSync()))
    let problem: CoreErrorShape | null = null
    for (;;) {
      const question = await this.alone(() => this.asked())
      if (!question) break
      const { ask, body } = question
      const answer = await this.world.net.ask(ask, body).catch((error: unknown) => shapeOf(error))
      if (answer instanceof Uint8Array) {
        await this.alone(() => this.done(this.call(() => this.core().answered(ask.is, answer, this.world.now()))))
      } else {
        // That a server takes nothing back is no news beside why it was offered.
        if (ask.is !== 'refill') problem = answer
        const code = answer.code === 'unreachable' ? undefined : answer.code
        await this.alone(() => this.done(this.call(() => this.core().failed(code, this.world.now()))))
      }
    }
    return this.alone(async () => {
      const card = await this.store.get(CARD)
      const report = await this.done<SyncReport>(this.call(() => this.core().endSync(card, this.world.now())))
      const worded = report.error && problem?.code === report.error.code ? problem : report.error
      this.lastReport = { ...report, error: worded }
      this.heldBack = report.heldBack
      await this.tellStanding()
      return this.lastReport
    })
  }

  private async asked(): Promise<{ ask: Ask; body: Uint8Array | null } | null> {
    const outcome = this.call(() => this.core().ask(this.world.now()))
    const body = outcome.body ?? null
    const ask = await this.done<Ask | null>(outcome)
    return ask && { ask, body }
  }

  // ------------------------------------------------------------------------------------------------------------------- parcels

  async exportParcel(): Promise<Uint8Array | null> {
    return this.alone(async () => {
      const outcome = this.call(() => this.core().exportParcel(this.world.now()))
      const parcel = outcome.body ?? null
      await this.done(outcome)
      return parcel
    })
  }

  async carry(parcel: Uint8Array): Promise<number> {
    return this.alone(() => this.done<number>(this.call(() => this.core().carry(parcel))))
  }

  async rescue(): Promise<Uint8Array | null> {
    return this.alone(async () => {
      const [card, values] = [await this.store.get(CARD), await this.store.all()]
      return this.call(() => this.core().rescue(card, values)) ?? null
    })
  }

  // ---------------------------------------------------------------------------------------------------------- the shell's own

  putDraft(key: string, value: unknown): Promise<void> {
    return this.put(DRAFT, key, value)
  }

  async draft(key: string): Promise<Kept | null> {
    return this.alone(async () => {
      const sealed = await this.store.get(OWN + DRAFT + key)
      return sealed ? this.kept(DRAFT, key, sealed) : null
    })
  }

  drafts(): Promise<readonly Kept[]> {
    return this.allKept(DRAFT)
  }

  dropDraft(key: string): Promise<void> {
    return this.drop(DRAFT, key)
  }

  putNote(key: string, value: unknown): Promise<void> {
    return this.put(NOTE, key, value)
  }

  notes(): Promise<readonly Kept[]> {
    return this.allKept(NOTE)
  }

  dropNote(key: string): Promise<void> {
    return this.drop(NOTE, key)
  }

  private async put(of: string, key: string, value: unknown): Promise<void> {
    await this.alone(() => {
      const kept = JSON.stringify({ value, changedAt: this.world.now() })
      return this.done(this.call(() => this.core().sealOwn(of + key, kept)))
    })
  }

  private async drop(of: string, key: string): Promise<void> {
    await this.alone(() => this.done(this.call(() => this.core().sealOwn(of + key, undefined))))
  }

  private async draftTexts(): Promise<string> {
    const prefix = OWN + DRAFT
    const sealed = await this.store.all(prefix)
    const texts = sealed.map(([name, value]) => this.call(() => this.core().openOwn(name.slice(OWN.length), value)))
    return texts.join()
  }

  private async allKept(of: string): Promise<readonly Kept[]> {
    return this.alone(async () => {
      const prefix = OWN + of
      const sealed = await this.store.all(prefix)
      const kept = sealed.map(([name, value]) => this.kept(of, name.slice(prefix.length), value))
      return kept.sort((a, b) => b.changedAt - a.changedAt)
    })
  }

  private kept(of: string, key: string, sealed: Uint8Array): Kept {
    const opened = JSON.parse(this.call(() => this.core().openOwn(of + key, sealed))) as Omit<Kept, 'key'>
    return { key, ...opened }
  }

  async settings(): Promise<Settings> {
    return this.alone(() => this.set())
  }

  async putSettings(change: Partial<Settings>): Promise<Settings> {
    return this.alone(async () => {
      const settings = { ...(await this.set()), ...change }
      await this.store.putPlain(SETTINGS, settings)
      return settings
    })
  }

  private async set(): Promise<Settings> {
    return { ...AT_FIRST, ...((await this.store.plain(SETTINGS)) as Partial<Settings> | undefined) }
  }

  // --------------------------------------------------------------------------------------------------------------- durability

  /** Makes an outcome durable, then tells what it changed, then gives what it says. */
  private async done<Value>(outcome: Outcome, naming: Naming | null = null): Promise<Value> {
    const [stored, value, events] = [outcome.stored as Stored[], outcome.value, outcome.events]
    outcome.free()
    try {
      await this.store.put([...stored, ...(naming?.stored ?? [])])
    } catch (error) {
      await this.goBack()
      throw error
    }
    naming?.done()
    for (const event of (JSON.parse(events) ?? []) as CoreEvent[]) {
      if (event.is === 'changed') this.refind(event.records)
      this.world.tell(event)
    }
    return JSON.parse(value) as Value
  }

  /** What could not be made durable did not happen: the core goes back to what is. */
  private async goBack(): Promise<void> {
    try {
      if (!this.fresh && (await this.store.get(IDENTITY)) === undefined) {
        this.lostStorage()
        return
      }
      if (this.told().open) await this.loaded(await this.store.all())
    } catch {
      // Storage that cannot be read either: the next call says so.
      this.core().lock()
    }
  }

  private lostStorage(): void {
    if (this.fresh) return
    this.phone?.lock()
    this.fresh = true
    this.finder = null
    this.files.clear()
    void this.alone(async () => {
      this.store.close()
      this.store = await Store.open(() => this.lostStorage())
      await this.begin()
      await this.tellStanding()
    }).catch(() => undefined)
  }

  private refind(records: readonly { journal: string; record: string }[]): void {
    for (const { journal, record } of this.finder ? records : []) {
      const hit = JSON.parse(this.call(() => this.core().title(journal, record, this.world.now()))) as Hit | null
      if (!hit) this.finder?.remove(journal, record)
      // Others bear its title as well, as a household's visits do: all of them are read again when somebody searches.
      else if (this.finder?.retitles(hit)) this.finder = null
      else this.finder?.add(hit)
    }
  }

  /** One call at a time, in the order in which they came. */
  private alone<T>(run: () => T | Promise<T>): Promise<T> {
    const turn = this.last.then(run)
    this.last = turn.catch(() => undefined)
    return turn
  }

  private core(): Phone {
    if (!this.phone) throw new CoreError({ code: 'locked' })
    return this.phone
  }

  /** A call of the module. What it throws as text is a fault with its reasons; anything else is a fault of the app. */
  private call<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      if (typeof error === 'string') throw errorOf(JSON.parse(error) as CoreErrorShape)
      if (error instanceof CoreError) throw error
      const detail = error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error)
      throw new CoreError({ code: 'broken', detail })
    }
  }
}

/** A fault as the module says it: what is absent there may be null. */
function errorOf(fault: CoreErrorShape): CoreError {
  const said = Object.entries(fault).filter(([, value]) => value !== null)
  return new CoreError(Object.fromEntries(said) as unknown as CoreErrorShape)
}

/** An error as it crosses to the page, and as reports keep it. */
export function shapeOf(error: unknown): CoreErrorShape {
  if (error instanceof CoreError) {
    const { code, field, triesLeft, fate, title, remedy, retryAfterSeconds, detail } = error
    const named = { code, field, triesLeft, fate, title, remedy, retryAfterSeconds, detail }
    return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)) as unknown as CoreErrorShape
  }
  return { code: 'broken', detail: error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error) }
}
