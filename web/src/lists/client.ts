/** Lists as the page holds them. */
import { CoreError, type CoreErrorShape } from '../core/api'
import { plain } from '../state/plain'
import { ownScript } from '../state/trust'
import type { Lists, Opened } from './api'
import { NOT_HERE, type Answer, type Call, type Served } from './wire'
import workerAddress from './reader?worker&url'

/** What reads lists, while a screen is open. */
export interface Reader extends Lists {
  /** Tells it the register as it is now. The list that was opened last stays open. */
  know(roll: Uint8Array): Promise<void>
  /** Forgets the list and the register. */
  end(): void
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: CoreError) => void
}

/** Starts the worker. */
export function startReader(): Reader {
  const waiting = new Map<number, Waiting>()
  let calls = 0
  let failed: CoreErrorShape | null = null
  let register: Uint8Array | null = null
  let list: { readonly file: Uint8Array; readonly sheet: string | null } | null = null

  const start = (): Worker => {
    const worker = new Worker(ownScript(workerAddress), { type: 'module', name: 'lists' })
    worker.onmessage = ({ data }: MessageEvent<Answer>) => settle(data)
    // Its script cannot be had.
    worker.onerror = () => {
      failed = { code: NOT_HERE }
      reject(failed)
    }
    return worker
  }

  const settle = (answer: Answer): void => {
    const call = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('value' in answer) return call?.resolve(answer.value)
    call?.reject(new CoreError(answer.error))
    if (answer.error.code === 'broken') restart(answer.error)
  }

  const reject = (shape: CoreErrorShape): void => {
    for (const call of waiting.values()) call.reject(new CoreError(shape))
    waiting.clear()
  }

  /** A module that stopped in the middle of something is not used again. */
  const restart = (shape: CoreErrorShape): void => {
    worker.terminate()
    reject(shape)
    worker = start()
    if (register) void know(register).catch(() => undefined)
  }

  let worker = start()

  const ask = <T>(method: keyof Served, ...given: readonly unknown[]): Promise<T> =>
    new Promise<unknown>((resolve, reject) => {
      if (failed) return reject(new CoreError(failed))
      calls += 1
      waiting.set(calls, { resolve, reject })
      worker.postMessage({ id: calls, method, given: given.map(plain) } satisfies Call)
    }) as Promise<T>

  const know = async (roll: Uint8Array): Promise<void> => {
    // One that the module fails at is not told again by itself; nor is such a list opened again.
    register = null
    const known = ask('know', roll, Date.now())
    // Asked for at once, so that nothing comes between.
    const again = list ? ask('open', list.file, list.sheet) : null
    await Promise.all([known, again])
    register = roll
  }

  return {
    know,
    async open(file, sheet) {
      list = null
      const opened = await ask<Opened>('open', file, sheet)
      list = { file, sheet }
      return opened
    },
    under: (headerRow) => ask('under', headerRow),
    plan: (mapping, decisions) => ask('plan', mapping, decisions),
    clues: () => ask('clues'),
    report: (lang, notSaved) => ask('report', lang, notSaved),
    end: () => worker.terminate(),
  }
}
