/** The core as the page holds it. */
import {
  CoreError,
  type Core,
  type CoreErrorShape,
  type CoreEvent,
  type Remembered,
  type Standing,
  type Storage,
} from './api'
import type { Served } from './shell'
import type { Answer, Call, Hello, Notice } from './wire'

/** What the page remembers in two places: the browser seldom clears both. It says that a phone was enrolled, and what waited. */
const MARK = 'zhucun-mark'
const A_YEAR_SECONDS = 365 * 86_400

export function readMark(): Remembered | null {
  const cookies = document.cookie.split('; ').map((cookie) => cookie.split('='))
  const cookie = cookies.find(([name]) => name === MARK)?.[1]
  const text = localStorage.getItem(MARK) ?? cookie
  const [unsent, at] = (text ?? '').split('.').map(Number)
  return Number.isInteger(unsent) && Number.isInteger(at) ? { unsent: unsent ?? 0, at: at ?? 0 } : null
}

function writeMark(mark: Remembered | null): void {
  const text = mark ? `${mark.unsent}.${mark.at}` : ''
  if (mark) localStorage.setItem(MARK, text)
  else localStorage.removeItem(MARK)
  const secure = location.protocol === 'https:' ? '; Secure' : ''
  document.cookie = `${MARK}=${text}; Max-Age=${mark ? A_YEAR_SECONDS : 0}; Path=/; SameSite=Strict${secure}`
}

interface Waiting {
  readonly method: string
  readonly resolve: (value: unknown) => void
  readonly reject: (error: CoreError) => void
}

/** Starts the worker. */
export function connect(makeWorker: () => Worker): Core {
  const listeners = new Set<(event: CoreEvent) => void>()
  const waiting = new Map<number, Waiting>()
  let last = 0

  const tell = (event: CoreEvent): void => {
    if (event.is === 'standing') remember(event.standing)
    for (const listener of listeners) listener(event)
  }

  const start = (): Worker => {
    const worker = makeWorker()
    worker.onmessage = ({ data }: MessageEvent<Answer | Notice>) => {
      if ('event' in data) tell(data.event)
      else if ('broken' in data) restart(data.broken)
      else if ('failed' in data) fail(data.failed)
      else settle(data)
    }
    // A worker that cannot even be loaded would not be better the second time.
    worker.onerror = (event) => fail({ code: 'broken', detail: event.message })
    worker.postMessage({ remembered: readMark() } satisfies Hello)
    return worker
  }

  const settle = (answer: Answer): void => {
    const call = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (!call) return
    if ('error' in answer) return call.reject(new CoreError(answer.error))
    if (call.method === 'save' || call.method === 'offerAgain') {
      writeMark({ unsent: (answer.value as { unsent: number }).unsent, at: Date.now() })
    }
    if (call.method === 'forget') writeMark(null)
    call.resolve(answer.value)
  }

  let failed: CoreErrorShape | null = null
  const fail = (shape: CoreErrorShape): void => {
    failed = shape
    for (const call of waiting.values()) call.reject(new CoreError(shape))
    waiting.clear()
  }

  /** What was saved is durable; the new worker finds it, locked. */
  const restart = (shape: CoreErrorShape): void => {
    worker.terminate()
    fail(shape)
    failed = null
    worker = start()
  }

  let worker = start()

  const ask = (method: keyof Served, given: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (failed) return reject(new CoreError(failed))
      last += 1
      waiting.set(last, { method, resolve, reject })
      worker.postMessage({ id: last, method, given } satisfies Call)
    })

  const here: Pick<Core, 'on' | 'persist' | 'storage'> = {
    on(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async persist() {
      await navigator.storage?.persist?.()
      return here.storage()
    },
    async storage(): Promise<Storage> {
      const persisted = (await navigator.storage?.persisted?.()) ?? false
      const estimate = await navigator.storage?.estimate?.()
      return { persisted, usedBytes: estimate?.usage ?? null, quotaBytes: estimate?.quota ?? null }
    },
  }

  return new Proxy(here as Core, {
    get(target, name) {
      if (name in target) return target[name as keyof Core]
      // What is asked whether it is a promise is none.
      if (name === 'then' || typeof name === 'symbol') return undefined
      return (...given: readonly unknown[]) => ask(name as keyof Served, given)
    },
  })
}

function remember(standing: Standing): void {
  if (standing.is === 'open') writeMark({ unsent: standing.unsent, at: Date.now() })
  if (standing.is === 'empty') writeMark(null)
}
