/** The dedicated worker: one core for all tabs, and calls by message. */
import type { CoreEvent, Remembered, Standing } from './api'
import { CoreError } from './api'
import { Http } from './net'
import init, { Core as Phone } from './pkg/web_wasm.js'
import module from './pkg/web_wasm_bg.wasm?url'
import { Shell, shapeOf } from './shell'
import type { Answer, Call, Hello, Notice } from './wire'

declare const self: DedicatedWorkerGlobalScope

/** One writer: whoever holds this lock. It goes when its worker does, however that ends. */
const LOCK = 'zhucun core'

/** The core, once this worker is the one that has it. */
let shell: Promise<Shell> | null = null
const ELSEWHERE: Standing = { is: 'elsewhere' }

/** Resolves when it is known whether this worker has the core, or waits for another to let go. */
let decide: () => void
const decided = new Promise<void>((resolve) => {
  decide = resolve
})

function post(message: Answer | Notice): void {
  self.postMessage(message)
}

function tell(event: CoreEvent): void {
  post({ event })
}

async function start(remembered: Remembered | null): Promise<Shell> {
  await init({ module_or_path: module })
  const net = new Http('', __APP_VERSION__)
  return Shell.start({ phone: Phone, net, now: Date.now, tell, remembered })
}

/** Starts when no other tab has the core, and keeps it until this worker ends. */
async function begin({ remembered }: Hello): Promise<void> {
  const keep = async (lock: Lock | null): Promise<boolean> => {
    if (!lock) return false
    shell = start(remembered)
    decide()
    const standing = await shell.then((shell) => shell.standing())
    tell({ is: 'standing', standing })
    return new Promise(() => undefined)
  }
  if (await navigator.locks.request(LOCK, { ifAvailable: true }, keep)) return
  decide()
  tell({ is: 'standing', standing: ELSEWHERE })
  await navigator.locks.request(LOCK, keep)
}

async function served(call: Call): Promise<unknown> {
  await decided
  if (!shell) {
    if (call.method === 'standing') return ELSEWHERE
    throw new CoreError({ code: 'elsewhere' })
  }
  const here = await shell
  const method = here[call.method] as (...given: readonly unknown[]) => Promise<unknown>
  return method.apply(here, [...call.given])
}

self.onmessage = ({ data }: MessageEvent<Hello | Call>) => {
  if (!('id' in data)) {
    begin(data).catch((error: unknown) => post({ failed: shapeOf(error) }))
    return
  }
  served(data).then(
    (value) => post({ id: data.id, value }),
    (error: unknown) => {
      const shape = shapeOf(error)
      post({ id: data.id, error: shape })
      // A module that stopped in the middle of something is not used again: the page starts another worker.
      if (shape.code === 'broken') post({ broken: shape })
    },
  )
}
