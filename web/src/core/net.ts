/** The server, which the app came from. */
import { CoreError, type CoreErrorShape } from './api'

/** What a question to the server is, as the core says it. */
export type Ask =
  | { readonly is: 'refresh'; readonly json: unknown }
  | { readonly is: 'sync'; readonly access: string }
  | { readonly is: 'catalogue'; readonly access: string; readonly version: number }
  | { readonly is: 'refill' }

/** A sync over a bad line may take as long as the server waits for one. */
const TIMEOUT_MS = 5 * 60_000
const CBOR = 'application/cbor'
const JSON_TYPE = 'application/json'
/** Names and values of draft-ietf-httpbis-resumable-upload; booleans as structured fields write them. */
const PARTIAL = 'application/partial-upload'
const OFFSET = 'upload-offset'
const COMPLETE = 'upload-complete'
const [TRUE, FALSE] = ['?1', '?0']
/** A file that is answered so is the wrong one, however often it is offered. */
const REFUSED = 422

/** What the server has of a file. */
export interface Had {
  /** How many bytes from its beginning. */
  readonly offset: number
  readonly complete: boolean
}

/** A part of a file that is handed over. */
export interface Piece {
  readonly offset: number
  readonly bytes: Uint8Array
  /** The file ends with it. */
  readonly last: boolean
}

export interface Net {
  get(path: string): Promise<Uint8Array>
  postJson(path: string, body: unknown): Promise<Uint8Array>
  ask(ask: Ask, body: Uint8Array | null): Promise<Uint8Array>
  /** What the server has of a file. */
  had(path: string, access: string): Promise<Had>
  /** Hands a part of a file over: what the server has then, or why it takes the file in no case. */
  hand(path: string, access: string, piece: Piece): Promise<Had | { readonly refused: CoreErrorShape }>
  /** A whole file, and what it is. */
  fetched(path: string, access: string): Promise<{ readonly bytes: Uint8Array; readonly type: string }>
}

/** The server at an address; the app's own by default. */
export class Http implements Net {
  constructor(
    private readonly base = '',
    private readonly version = 'dev',
  ) {}

  get(path: string): Promise<Uint8Array> {
    return this.sent(path, { method: 'GET' })
  }

  postJson(path: string, body: unknown): Promise<Uint8Array> {
    const headers = { 'content-type': JSON_TYPE }
    return this.sent(path, { method: 'POST', headers, body: JSON.stringify(body) })
  }

  ask(ask: Ask, body: Uint8Array | null): Promise<Uint8Array> {
    const cbor = { 'content-type': CBOR, accept: CBOR }
    const bytes = body as Uint8Array<ArrayBuffer> | null
    switch (ask.is) {
      case 'refresh':
        return this.postJson('/v1/session/refresh', ask.json)
      case 'sync': {
        const headers = { ...cbor, ...bearer(ask.access) }
        return this.sent('/v1/sync', { method: 'POST', headers, body: bytes })
      }
      case 'catalogue':
        return this.sent(`/v1/catalogues/${ask.version}`, { method: 'GET', headers: bearer(ask.access) })
      case 'refill':
        return this.sent('/v1/refill', { method: 'POST', headers: cbor, body: bytes })
    }
  }

  async had(path: string, access: string): Promise<Had> {
    const { response, bytes } = await this.answered(path, { method: 'HEAD', headers: bearer(access) })
    if (!response.ok) throw new CoreError(problem(response, bytes))
    return had(response)
  }

  async hand(path: string, access: string, piece: Piece): Promise<Had | { readonly refused: CoreErrorShape }> {
    const headers = {
      ...bearer(access),
      'content-type': PARTIAL,
      'upload-offset': String(piece.offset),
      'upload-complete': piece.last ? TRUE : FALSE,
    }
    const body = piece.bytes as Uint8Array<ArrayBuffer>
    const { response, bytes } = await this.answered(path, { method: 'PATCH', headers, body })
    if (response.ok) return had(response)
    if (response.status === REFUSED) return { refused: problem(response, bytes) }
    // The two do not agree where it was broken off: the server knows.
    if (response.status === 409 && response.headers.has(OFFSET)) return had(response)
    throw new CoreError(problem(response, bytes))
  }

  async fetched(path: string, access: string): Promise<{ readonly bytes: Uint8Array; readonly type: string }> {
    const { response, bytes } = await this.answered(path, { method: 'GET', headers: bearer(access) })
    if (!response.ok) throw new CoreError(problem(response, bytes))
    return { bytes, type: (response.headers.get('content-type') ?? '').split(';')[0]?.trim() ?? '' }
  }

  private async sent(path: string, request: RequestInit): Promise<Uint8Array> {
    const { response, bytes } = await this.answered(path, request)
    if (!response.ok) throw new CoreError(problem(response, bytes))
    return bytes
  }

  private async answered(path: string, request: RequestInit): Promise<{ response: Response; bytes: Uint8Array }> {
    try {
      const response = await fetch(this.base + path, {
        ...request,
        headers: { ...request.headers, 'zhucun-app': this.version },
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      // The line may break in the middle of an answer.
      return { response, bytes: new Uint8Array(await response.arrayBuffer()) }
    } catch (error) {
      throw new CoreError({ code: 'unreachable', detail: String(error) })
    }
  }
}

function had(response: Response): Had {
  const complete = response.headers.get(COMPLETE)?.trim() === TRUE
  const offset = Number(response.headers.get(OFFSET) ?? (complete ? 0 : Number.NaN))
  if (!Number.isSafeInteger(offset) || offset < 0) throw new CoreError({ code: 'unreadable', detail: OFFSET })
  return { offset, complete }
}

function bearer(access: string): Record<string, string> {
  return { authorization: `Bearer ${access}` }
}

/** What a failed answer says. One that is no problem+json (from a proxy, for example) is known by its status alone. */
function problem(response: Response, bytes: Uint8Array): CoreErrorShape {
  const shape: { -readonly [name in keyof CoreErrorShape]: CoreErrorShape[name] } = {
    code: `http_${response.status}`,
  }
  const seconds = Number(response.headers.get('retry-after'))
  if (Number.isFinite(seconds) && seconds > 0) shape.retryAfterSeconds = seconds
  let said: unknown
  try {
    said = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return shape
  }
  const text = (name: string): string => {
    const value = (said as Record<string, unknown> | null)?.[name]
    return typeof value === 'string' ? value : ''
  }
  if (text('code') === '') return shape
  shape.code = text('code')
  shape.title = { zh: text('title_zh'), en: text('title') }
  shape.remedy = { zh: text('remedy_zh'), en: text('remedy') }
  if (text('field') !== '') shape.field = text('field')
  return shape
}
