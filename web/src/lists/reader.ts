/** The worker that reads lists: a long one takes seconds, in which a page would stand still. */
import { CoreError, type CoreErrorShape } from '../core/api'
import type { Clue, Headed, Opened, Plan } from './api'
import init, { Lists as Module } from './pkg/web_lists.js'
import address from './pkg/web_lists_bg.wasm?url'
import { NOT_HERE, type Answer, type Call, type Served } from './wire'

declare const self: DedicatedWorkerGlobalScope

let module: Module | null = null

function here(): Module {
  if (!module) throw new CoreError({ code: NOT_HERE })
  return module
}

const serves: Served = {
  async know(roll, now) {
    await init({ module_or_path: address }).catch((error: unknown) => {
      throw new CoreError({ code: NOT_HERE, detail: String(error) })
    })
    module?.free()
    module = null
    module = new Module(roll, now)
  },
  async open(file, sheet) {
    return JSON.parse(here().open(file, sheet ?? undefined)) as Opened
  },
  async under(headerRow) {
    return JSON.parse(here().under(headerRow)) as Headed
  },
  async plan(mapping, decisions) {
    return JSON.parse(here().plan(JSON.stringify(mapping), JSON.stringify(decisions))) as Plan
  },
  async clues() {
    return JSON.parse(here().clues()) as readonly Clue[]
  },
  async report(lang, notSaved) {
    return here().report(lang, JSON.stringify(notSaved))
  },
}

/** What the module throws as text is a fault with its reasons; anything else is a fault of its own. */
function shapeOf(error: unknown): CoreErrorShape {
  if (typeof error === 'string') return JSON.parse(error) as CoreErrorShape
  if (error instanceof CoreError) return { code: error.code }
  return { code: 'broken', detail: String(error) }
}

/** One call at a time, in the order in which they came. */
let last: Promise<unknown> = Promise.resolve()

self.onmessage = ({ data: { id, method, given } }: MessageEvent<Call>) => {
  const serve = serves[method] as (...given: readonly unknown[]) => Promise<unknown>
  last = last
    .then(() => serve(...given))
    .then(
      (value) => self.postMessage({ id, value } satisfies Answer),
      (error: unknown) => self.postMessage({ id, error: shapeOf(error) } satisfies Answer),
    )
}
