import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { CoreError, type Intent } from '../src/core/api'
import { Files, type Naming } from '../src/core/files'
import { Http } from '../src/core/net'
import type { Core as Phone } from '../src/core/pkg/web_wasm.js'
import { Store } from '../src/core/store'
import { FileServer } from './server'

const JOURNAL = '0a'.repeat(16)
const RECORD = '0b'.repeat(16)
const OF = { journal: JOURNAL, record: RECORD }
const PIECE = 256 * 1024

/** Bytes that differ in length and content. */
function photo(length: number, first = 7): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + first) % 251)
}

/** Turns over what it seals; knows what the core would say of records. */
class FakePhone {
  names = new Map<string, string[]>()

  sealFile(bytes: Uint8Array) {
    // The hash is asked for when the file is fetched: it must be the real one.
    const hash = hashes.get(bytes)
    return outcome([[`shell/file/${hash}`, bytes.map((byte) => byte ^ 0x55)]], JSON.stringify(hash))
  }

  openFile(_: string, sealed: Uint8Array) {
    return sealed.map((byte) => byte ^ 0x55)
  }

  dropFile(hash: string) {
    return outcome([[`shell/file/${hash}`, null]], 'null')
  }

  sealOwn(name: string, value?: string) {
    return outcome([[`shell/${name}`, value === undefined ? null : new TextEncoder().encode(value)]], 'null')
  }

  openOwn(_: string, sealed: Uint8Array) {
    return new TextDecoder().decode(sealed)
  }

  title() {
    return JSON.stringify({ ...OF, kind: 'visit', title: '张三', state: null })
  }

  unmasked(_: string, record: string) {
    const named = this.names.get(record)
    if (!named) throw new Error('no such record')
    return JSON.stringify(named)
  }
}

function outcome(stored: [string, Uint8Array | null][], value: string) {
  return { stored, value, free: () => undefined }
}

const hashes = new Map<Uint8Array, string>()
const none = { unsent: [], toAnswer: [] }

let server: FileServer
let store: Store
let phone: FakePhone
let files: Files
let told: number
/** Nobody is logged in. */
let noAccess: boolean

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory()
  server = new FileServer()
  vi.stubGlobal('fetch', server.fetch)
  store = await Store.open(() => undefined)
  phone = new FakePhone()
  noAccess = false
  told = 0
  files = again()
})

afterEach(() => vi.unstubAllGlobals())

function again(): Files {
  return new Files({
    net: new Http('', 'test'),
    now: () => 1_795_000_000_000,
    store: () => store,
    phone: () => phone as unknown as Phone,
    call: (run) => run(),
    alone: async (run) => run(),
    access: async () => {
      if (noAccess) throw new CoreError({ code: 'logged_out' })
      return 'a'
    },
    tell: async () => {
      told += 1
    },
  })
}

async function kept(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  hashes.set(bytes, Buffer.from(digest).toString('hex'))
  return files.keep(bytes, 'image/jpeg')
}

async function durable(naming: Naming): Promise<void> {
  await store.put(naming.stored)
  naming.done()
}

function creating(...hashes: string[]): Intent {
  return { do: 'create', kind: 'visit', values: { note: '水窖见底', photos: hashes } }
}

async function saved(bytes: Uint8Array): Promise<{ hash: string; path: string }> {
  const hash = await kept(bytes)
  await durable(files.naming(OF, creating(hash)))
  phone.names.set(RECORD, [...(phone.names.get(RECORD) ?? []), hash])
  const path = `/v1/journals/${JOURNAL}/records/${RECORD}/files/${hash}`
  server.knows(path)
  return { hash, path }
}

function waits(record: string, fields: string[]) {
  return { unsent: [{ record, fields }], toAnswer: [] } as never
}

describe('files', () => {
  it('are sealed, and still there after a restart', async () => {
    const bytes = photo(1000)
    const hash = await kept(bytes)
    expect(await store.get(`shell/file/${hash}`)).not.toEqual(bytes)
    expect(await store.names()).toEqual([`shell/slip/${hash}`])
    files = again()
    await files.load()
    expect(await files.shown(hash, null)).toEqual({ is: 'here', bytes, type: 'image/jpeg' })
    expect(await files.shown('ab'.repeat(32), null)).toEqual({ is: 'missing' })
  })

  it('that no save and no draft names are forgotten; those of a draft are not', async () => {
    const [lost, drafted] = [await kept(photo(10)), await kept(photo(11))]
    const { hash } = await saved(photo(12))
    files = again()
    await files.load()
    await files.forgetUnnamed(JSON.stringify({ value: { photos: [drafted] } }))
    const left = await Promise.all([lost, drafted, hash].map((one) => files.shown(one, null)))
    expect(left.map((one) => one.is)).toEqual(['missing', 'here', 'here'])
  })

  it('wait from the moment their record is saved, and not before', async () => {
    const hash = await kept(photo(10))
    expect(files.counts).toEqual({ waiting: 0, refused: 0 })
    const naming = files.naming(OF, creating(hash, 'cd'.repeat(32)))
    expect(files.counts.waiting).toBe(0)
    await durable(naming)
    expect(files.counts.waiting).toBe(1)
    expect(files.waiting(none)).toMatchObject([{ hash, record: RECORD, field: 'photos', kind: 'visit', title: '张三', bytes: 10, ready: true }])
  })

  it('too large for any server are not kept', async () => {
    await expect(kept(new Uint8Array(8 * 1024 * 1024 + 1))).rejects.toMatchObject({ code: 'file_too_big' })
  })
})

describe('sending', () => {
  it('hands a file over in pieces, forgets it here, and shows it from the server', async () => {
    const bytes = photo(3 * PIECE + 5)
    const { hash, path } = await saved(bytes)
    expect(await files.send(() => none)).toEqual({ delivered: 1, waiting: 0, error: null })
    expect(server.asked).toEqual(['HEAD', `PATCH 0+${PIECE}`, `PATCH ${PIECE}+${2 * PIECE}`, `PATCH ${3 * PIECE}+5`])
    expect(Buffer.compare(server.files.get(path)?.bytes ?? new Uint8Array(), bytes)).toBe(0)
    expect(await store.get(`shell/file/${hash}`)).toBeUndefined()
    expect(await store.names()).toEqual([])
    expect(told).toBeGreaterThan(2)
    const shown = await files.shown(hash, OF)
    expect(shown.is === 'here' && shown.type).toBe('image/jpeg')
    expect(Buffer.compare(shown.is === 'here' ? shown.bytes : new Uint8Array(), bytes)).toBe(0)
  })

  it('waits for the record that names it, also while that is refused', async () => {
    await saved(photo(10))
    expect(await files.send(() => waits(RECORD, ['note', 'photos']))).toMatchObject({ delivered: 0, waiting: 1, error: null })
    const refused = { unsent: [], toAnswer: [{ record: RECORD, fields: ['photos'] }] } as never
    expect(await files.send(() => refused)).toMatchObject({ delivered: 0, waiting: 1 })
    expect(server.asked).toEqual([])
    // Another field of the record, and another record, keep nothing back.
    expect(await files.send(() => waits(RECORD, ['note']))).toMatchObject({ delivered: 1 })
  })

  it('goes on where the line broke, with smaller pieces', async () => {
    const bytes = photo(2 * PIECE)
    const { hash } = await saved(bytes)
    server.holds = 1
    const report = await files.send(() => none)
    expect(report).toMatchObject({ delivered: 0, waiting: 1, error: { code: 'unreachable' } })
    expect(files.waiting(none)).toMatchObject([{ hash, sent: PIECE, trouble: { code: 'unreachable' } }])
    server.holds = Number.POSITIVE_INFINITY
    server.asked.length = 0
    expect(await files.send(() => none)).toMatchObject({ delivered: 1, error: null })
    expect(server.asked).toEqual(['HEAD', `PATCH ${PIECE}+${PIECE}`])
  })

  it('believes the server about where it is', async () => {
    const bytes = photo(100)
    const { path } = await saved(bytes)
    const file = server.files.get(path)
    const head = server.fetch
    // Another phone of the same person is a little further by the time this one goes on.
    vi.stubGlobal('fetch', async (at: string, request: RequestInit) => {
      const answer = await head(at, request)
      if (request.method === 'HEAD' && file) file.bytes = bytes.slice(0, 40)
      return answer
    })
    expect(await files.send(() => none)).toMatchObject({ delivered: 1 })
    expect(server.asked).toEqual(['HEAD', 'PATCH 0+100', 'PATCH 40+60'])
    expect(file?.bytes).toEqual(bytes)
  })

  it('sends nothing of what is there already', async () => {
    const { path } = await saved(photo(10))
    server.files.set(path, { bytes: photo(10), complete: true })
    expect(await files.send(() => none)).toMatchObject({ delivered: 1 })
    expect(server.asked).toEqual(['HEAD'])
  })

  it('does not try again what is refused, says why, and waits for its person', async () => {
    const { hash } = await saved(photo(10))
    await saved(photo(20))
    server.refuses = { status: 422, code: 'file_metadata' }
    expect(await files.send(() => none)).toEqual({ delivered: 0, waiting: 0, error: null })
    expect(files.counts).toEqual({ waiting: 0, refused: 2 })
    files = again()
    await files.load()
    expect(files.waiting(none).map((file) => file.refused)).toMatchObject([
      { code: 'file_metadata', remedy: { zh: '请重拍', en: 'Take it again' } },
      { code: 'file_metadata' },
    ])
    server.asked.length = 0
    await files.send(() => none)
    expect(server.asked).toEqual([])
    await files.drop(hash)
    expect(files.counts).toEqual({ waiting: 0, refused: 1 })
  })

  it('begins anew where what was handed over before turns out to be another file', async () => {
    const bytes = photo(100)
    const { path } = await saved(bytes)
    const spoilt = { bytes: new Uint8Array(40), complete: false }
    server.files.set(path, spoilt)
    server.refuses = { status: 422, code: 'file_digest' }
    const fetch = server.fetch
    vi.stubGlobal('fetch', async (at: string, request: RequestInit) => {
      const answer = await fetch(at, request)
      if (answer.status === 422) server.refuses = null
      return answer
    })
    expect(await files.send(() => none)).toMatchObject({ delivered: 1, error: null })
    expect(server.asked).toEqual(['HEAD', 'PATCH 40+60', 'PATCH 0+100'])
    expect(spoilt).toEqual({ bytes, complete: true })
  })

  it('takes no refusal of a piece for one of the file', async () => {
    await saved(photo(10))
    server.refuses = { status: 413, code: 'too_large' }
    expect(await files.send(() => none)).toMatchObject({ delivered: 0, waiting: 1, error: { code: 'too_large' } })
  })

  it('keeps what the server does not show now, and goes on with the others', async () => {
    const { hash, path } = await saved(photo(10))
    await saved(photo(20))
    server.files.delete(path)
    expect(await files.send(() => none)).toMatchObject({ delivered: 1, waiting: 1, error: { code: 'file_not_shown' } })
    expect(files.waiting(none)).toMatchObject([{ hash, trouble: { code: 'file_not_shown' } }])
    // It was taken off the record meanwhile: nobody waits for it.
    phone.names.set(RECORD, [])
    expect(await files.send(() => none)).toMatchObject({ delivered: 0, waiting: 0, error: null })
    expect(await store.names()).toEqual([])
  })

  it('stops where nobody is logged in, and leaves all as it is', async () => {
    await saved(photo(10))
    noAccess = true
    expect(await files.send(() => none)).toMatchObject({ delivered: 0, waiting: 1, error: { code: 'logged_out' } })
    expect(server.asked).toEqual([])
  })

  it('moves to the record that takes the place of a refused one', async () => {
    const { hash } = await saved(photo(10))
    const other = '0c'.repeat(16)
    await durable(files.moving(OF, other))
    expect(files.waiting(none)).toMatchObject([{ hash, record: other, field: 'photos' }])
  })
})

describe('showing', () => {
  it('tells what has not come from what cannot be asked for now', async () => {
    const { hash, path } = await saved(photo(10))
    await files.drop(hash)
    expect(await files.shown(hash, OF)).toEqual({ is: 'awaited' })
    server.files.delete(path)
    expect(await files.shown(hash, OF)).toEqual({ is: 'missing' })
    vi.stubGlobal('fetch', async () => {
      throw new TypeError('no network')
    })
    expect(await files.shown(hash, OF)).toEqual({ is: 'offline' })
  })

  it('shows nothing that is not what the record names', async () => {
    const { hash, path } = await saved(photo(10))
    await files.drop(hash)
    server.files.set(path, { bytes: photo(10, 8), complete: true })
    expect(await files.shown(hash, OF)).toEqual({ is: 'missing' })
  })
})
