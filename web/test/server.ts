/** A server that enrols, and of which nothing else is reached. */
import { createHash, generateKeyPairSync } from 'node:crypto'
import { CoreError } from '../src/core/api'
import type { Ask, Net } from '../src/core/net'

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

  private note(path: string): void {
    if (!this.reached) throw unreachable()
    this.asked.push(path)
  }
}
