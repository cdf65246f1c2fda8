/** A server that enrols, and of which nothing else is reached. */
import { createHash, generateKeyPairSync } from 'node:crypto'
import { CoreError } from '../src/core/api'
import type { Ask, Had, Net } from '../src/core/net'

const ED25519 = 1

function idOf(context: string, key: Uint8Array): string {
  const hash = createHash('sha256').update(context).update(Uint8Array.of(ED25519)).update(key)
  return hash.digest('hex').slice(0, 32)
}

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

const unreachable = () => new CoreError({ code: 'unreachable' })

export class EnrollingServer implements Net {
  /** Another server brings another deployment. */
  private readonly key = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)
  readonly asked: string[] = []
  user = '05'.repeat(16)
  reached = true
  code = 'session_ended'

  async get(path: string): Promise<Uint8Array> {
    this.note(path)
    const operator = { algorithm: ED25519, bytes: this.key.toString('base64url') }
    return bytes({ deployment: idOf('zhucun deployment v1', this.key), operator, protocol: 1 })
  }

  async postJson(path: string, body: unknown): Promise<Uint8Array> {
    this.note(path)
    const tokens = { refresh_token: 'zhr_first' }
    if (path === '/v1/session') return bytes({ ...tokens, access_token: 'a', expires_in_seconds: 900 })
    const { key } = body as { key: { bytes: string } }
    const device = idOf('zhucun device v1', Buffer.from(key.bytes, 'base64url'))
    return bytes({ device, user: this.user, tokens })
  }

  async ask(ask: Ask): Promise<Uint8Array> {
    this.note(ask.is)
    throw new CoreError({ code: this.code, title: { zh: '请重新登录', en: 'Log in again' } })
  }

  async had(path: string): Promise<Had> {
    this.note(path)
    return { offset: 0, complete: false }
  }

  async hand(path: string): Promise<Had> {
    this.note(path)
    throw unreachable()
  }

  async fetched(path: string): Promise<never> {
    this.note(path)
    throw unreachable()
  }

  private note(path: string): void {
    if (!this.reached) throw unreachable()
    this.asked.push(path)
  }
}

interface Kept {
  bytes: Uint8Array
  complete: boolean
}

/** A server's files as its protocol has them, behind `fetch`. What it is to do otherwise is scripted. */
export class FileServer {
  /** By address: those of which a record is known to whoever asks. */
  readonly files = new Map<string, Kept>()
  /** Method, offset and length of every request, in order. */
  readonly asked: string[] = []
  /** The line breaks when it has brought so many more pieces. */
  holds = Number.POSITIVE_INFINITY
  /** Whole files are refused with this code. */
  refuses: { readonly status: number; readonly code: string } | null = null
  token = 'a'

  /** That a record names a file from now on. */
  knows(path: string): void {
    this.files.set(path, { bytes: new Uint8Array(), complete: false })
  }

  readonly fetch = async (path: string, request: RequestInit): Promise<Response> => {
    const headers = new Headers(request.headers)
    const piece = new Uint8Array((request.body as Uint8Array<ArrayBuffer> | undefined) ?? [])
    const offset = Number(headers.get('upload-offset') ?? 0)
    this.asked.push(request.method === 'PATCH' ? `PATCH ${offset}+${piece.length}` : `${request.method}`)
    if (headers.get('authorization') !== `Bearer ${this.token}`) return problem(401, 'unauthenticated', request)
    const file = this.files.get(path)
    if (!file) return problem(404, 'not_found', request)
    if (request.method === 'HEAD') return new Response(null, { headers: has(file) })
    if (request.method === 'GET') {
      if (!file.complete) return problem(404, 'file_awaited', request)
      return new Response(file.bytes as Uint8Array<ArrayBuffer>, { headers: { 'content-type': 'image/jpeg; q=1' } })
    }
    this.holds -= 1
    if (this.holds < 0) throw new TypeError('the line broke')
    if (file.complete) return new Response(null, { status: 204, headers: has(file) })
    if (offset !== file.bytes.length) return problem(409, 'upload_offset', request, has(file))
    file.bytes = new Uint8Array(Buffer.concat([file.bytes, piece]))
    if (headers.get('upload-complete') === '?1') {
      if (this.refuses) {
        file.bytes = new Uint8Array()
        return problem(this.refuses.status, this.refuses.code, request)
      }
      file.complete = true
    }
    return new Response(null, { status: 204, headers: has(file) })
  }
}

function has(file: Kept): Record<string, string> {
  return { 'upload-offset': String(file.bytes.length), 'upload-complete': file.complete ? '?1' : '?0' }
}

function problem(status: number, code: string, request: RequestInit, headers: Record<string, string> = {}): Response {
  const said = JSON.stringify({ code, title: 'No', title_zh: '不行', remedy: 'Take it again', remedy_zh: '请重拍' })
  return new Response(request.method === 'HEAD' ? null : said, { status, headers })
}
