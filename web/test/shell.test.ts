import 'fake-indexeddb/auto'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { IDBFactory } from 'fake-indexeddb'
import { beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { CoreErrorShape, CoreEvent, Remembered } from '../src/core/api'
import { initSync, Core as Phone } from '../src/core/pkg/web_wasm.js'
import { Shell } from '../src/core/shell'
import { Store } from '../src/core/store'
import { EnrollingServer } from './server'

const CODE = '7Q2K-9FXA-0MZT-B4CE'
const PIN = '258046'
const WRONG = '000001'

let server: EnrollingServer
let events: CoreEvent[]

beforeAll(() => {
  const module = readFileSync(new URL('../src/core/pkg/web_wasm_bg.wasm', import.meta.url))
  initSync({ module })
})

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory()
  server = new EnrollingServer()
  events = []
})

function start(remembered: Remembered | null = null): Promise<Shell> {
  const tell = (event: CoreEvent) => events.push(event)
  return Shell.start({ phone: Phone, net: server, now: Date.now, tell, remembered })
}

async function enrolled(): Promise<Shell> {
  const shell = await start()
  await shell.enrol(CODE, '测试机', PIN)
  return shell
}

function refused(code: string, more: Partial<CoreErrorShape> = {}) {
  return expect.objectContaining({ name: 'CoreError', code, ...more })
}

test('a phone is enrolled, and opens with its PIN after a restart', async () => {
  const shell = await start()
  expect(await shell.standing()).toEqual({ is: 'empty' })
  const standing = await shell.enrol(CODE, '测试机', PIN)
  expect(standing).toMatchObject({ is: 'open', unsent: 0, loggedOut: false, sync: { is: 'idle' } })
  expect(server.asked).toEqual(['/v1/deployment', '/v1/enrol'])
  const again = await start()
  expect(await again.standing()).toEqual({ is: 'locked', triesLeft: 10 })
  await expect(again.today()).rejects.toEqual(refused('locked'))
  expect(await again.unlock(PIN)).toEqual(standing)
  await again.lock()
  await expect(again.putDraft('visit', {})).rejects.toEqual(refused('locked'))
})

test('what is wrong with an enrolment is said before a code is used up', async () => {
  const shell = await start()
  await expect(shell.enrol('7Q2K', '', PIN)).rejects.toEqual(refused('not_a_code'))
  await expect(shell.enrol(CODE, '', '123')).rejects.toEqual(refused('weak_pin_length'))
  await expect(shell.enrol(CODE, '', '123456')).rejects.toEqual(refused('weak_pin_guessed'))
  expect(server.asked).toEqual([])
  server.reached = false
  await expect(shell.enrol(CODE, '', PIN)).rejects.toEqual(refused('unreachable'))
  expect(await shell.standing()).toEqual({ is: 'empty' })
  server.reached = true
  expect(await shell.enrol(CODE, '', PIN)).toMatchObject({ is: 'open' })
})

test('a wrong PIN is counted before it is tried, and after ten the data key is gone', async () => {
  const phone = await enrolled()
  await phone.putDraft('visit', { note: '水压小' })
  const shell = await start()
  for (let left = 9; left > 0; left -= 1) {
    await expect(shell.unlock(WRONG)).rejects.toEqual(refused('wrong_pin', { triesLeft: left }))
  }
  // Whoever kills the app in between has used up the try.
  const restarted = await start()
  expect(await restarted.standing()).toEqual({ is: 'locked', triesLeft: 1 })
  await expect(restarted.unlock(WRONG)).rejects.toEqual(refused('wrong_pin', { triesLeft: 0 }))
  expect(await restarted.standing()).toEqual({ is: 'destroyed', deliverable: 0 })
  await expect(restarted.unlock(PIN)).rejects.toEqual(refused('destroyed'))
  expect(await restarted.rescue()).toBeNull()
  await restarted.forget()
  expect(await restarted.enrol(CODE, '', PIN)).toMatchObject({ is: 'open' })
  expect(await restarted.drafts()).toEqual([])
})

test('drafts and notes are sealed, and outlive a restart', async () => {
  const shell = await enrolled()
  await shell.putDraft('visit', { note: '张三家漏雨' })
  await shell.putDraft('visit', { note: '张三家漏雨，已报' })
  await shell.putNote('1', '自己记的')
  const store = await Store.open(() => undefined)
  const text = (await store.all()).map(([, value]) => Buffer.from(value).toString('utf8')).join()
  for (const readable of ['漏雨', '自己记的', 'zhr_first']) expect(text).not.toContain(readable)
  const again = await start()
  await again.unlock(PIN)
  expect(await again.draft('visit')).toMatchObject({ key: 'visit', value: { note: '张三家漏雨，已报' } })
  expect(await again.notes()).toMatchObject([{ key: '1', value: '自己记的' }])
  await again.dropDraft('visit')
  await again.dropNote('1')
  expect([await again.drafts(), await again.notes()]).toEqual([[], []])
})

test('files are sealed under their hash, and forgotten when no save and no draft names them', async () => {
  const shell = await enrolled()
  const photo = new TextEncoder().encode('a picture of a cracked cistern')
  const memo = new TextEncoder().encode('a voice')
  const [hash, other] = [await shell.keepFile(photo, 'image/jpeg'), await shell.keepFile(memo, 'audio/webm')]
  expect(hash).toBe(createHash('sha256').update(photo).digest('hex'))
  await shell.putDraft('visit', { values: { photos: [hash] } })
  const store = await Store.open(() => undefined)
  const sealed = Buffer.from((await store.get(`shell/file/${hash}`)) ?? []).toString('utf8')
  expect(sealed).not.toContain('cistern')
  const text = (await store.all()).map(([, value]) => Buffer.from(value).toString('utf8')).join()
  expect(text).not.toContain('image/jpeg')
  // Neither is anybody's until a record names it.
  expect(await shell.standing()).toMatchObject({ unsent: 0, toAnswer: 0 })
  await expect(shell.file('../x', null)).rejects.toEqual(refused('bad_value'))
  const again = await start()
  await expect(again.file(hash, null)).rejects.toEqual(refused('locked'))
  await again.unlock(PIN)
  expect(await again.file(hash, null)).toEqual({ is: 'here', bytes: photo, type: 'image/jpeg' })
  expect(await again.file(other, null)).toEqual({ is: 'missing' })
  expect(await store.get(`shell/file/${other}`)).toBeUndefined()
  await again.forget()
  expect(await store.get(`shell/file/${hash}`)).toBeUndefined()
})

test('another PIN takes the place of the old one', async () => {
  const shell = await enrolled()
  await expect(shell.changePin(WRONG, '936251')).rejects.toEqual(refused('wrong_pin', { triesLeft: 9 }))
  await shell.changePin(PIN, '936251')
  const again = await start()
  await expect(again.unlock(PIN)).rejects.toEqual(refused('wrong_pin'))
  expect(await again.unlock('936251')).toMatchObject({ is: 'open' })
})

test('what cannot be made durable is said, and the core goes back to what is', async () => {
  const shell = await enrolled()
  await shell.putDraft('visit', 'first')
  const full = vi.spyOn(Store.prototype, 'put').mockImplementation(async () => {
    const { CoreError } = await import('../src/core/api')
    throw new CoreError({ code: 'storage_full' })
  })
  await expect(shell.putDraft('visit', 'second')).rejects.toEqual(refused('storage_full'))
  await expect(shell.logIn('zhou', 'secret')).rejects.toEqual(refused('storage_full'))
  full.mockRestore()
  expect(await shell.draft('visit')).toMatchObject({ value: 'first' })
  expect(await shell.standing()).toMatchObject({ is: 'open', loggedOut: false })
})

test('a session that ended is told with the server’s words, and begins again', async () => {
  const shell = await enrolled()
  const [report, same] = await Promise.all([shell.sync(), shell.sync()])
  expect(report).toBe(same)
  expect(report).toMatchObject({ answered: 0, error: { code: 'logged_out' } })
  expect(await shell.standing()).toMatchObject({ is: 'open', loggedOut: true })
  await shell.logIn('zhou', 'secret')
  expect(await shell.standing()).toMatchObject({ loggedOut: false })
  server.code = 'busy'
  expect(await shell.sync()).toMatchObject({ error: { code: 'busy', title: { en: 'Log in again' } } })
  server.reached = false
  expect(await shell.sync()).toMatchObject({ error: { code: 'unreachable' } })
  const syncs = events.filter((event) => event.is === 'sync')
  expect(syncs.at(-1)).toMatchObject({ state: { is: 'idle', lastReport: { error: { code: 'unreachable' } } } })
})

test('storage that was cleared behind its back is noticed', async () => {
  await enrolled()
  globalThis.indexedDB = new IDBFactory()
  const remembered = { unsent: 3, at: 1_795_000_000_000 }
  const shell = await start(remembered)
  expect(await shell.standing()).toEqual({ is: 'cleared', remembered })
  expect(await shell.enrol(CODE, '', PIN)).toMatchObject({ is: 'open' })
})

test('a phone enrols anew in place, for the same person alone', async () => {
  const shell = await enrolled()
  const before = await shell.standing()
  await expect(shell.enrol(CODE, '', WRONG)).rejects.toEqual(refused('wrong_pin'))
  server.user = '06'.repeat(16)
  await expect(shell.enrol(CODE, '', PIN)).rejects.toEqual(refused('other_deployment'))
  server.user = '05'.repeat(16)
  const after = await shell.enrol(CODE, '', PIN)
  expect(after).toMatchObject({ is: 'open' })
  expect(after).not.toEqual(before)
  const again = await start()
  expect(await again.unlock(PIN)).toEqual(after)
})

test('without an assignment nothing can be saved, and settings are kept in the clear', async () => {
  const shell = await enrolled()
  expect(await shell.villages()).toEqual([])
  expect(await shell.households({ limit: 30 })).toEqual({ lines: [], total: 0, groups: [] })
  const intent = { do: 'create', kind: 'household', values: { householder: '张三' } } as const
  await expect(shell.save('07'.repeat(16), null, intent)).rejects.toEqual(refused('no_catalogue'))
  await shell.lock()
  expect(await shell.putSettings({ lang: 'en' })).toMatchObject({ lang: 'en', textSize: 100 })
  expect(await (await start()).settings()).toMatchObject({ lang: 'en' })
})
