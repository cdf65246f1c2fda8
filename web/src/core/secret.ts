/**
 * The secret of this device, 32 bytes, wrapped by a key that the browser keeps and hands to nobody, this script included: a copy of
 * the storage opens nowhere else.
 */
import { CoreError } from './api'
import type { Store } from './store'

const BYTES = 32
const KEPT = 'secret'

interface Kept {
  readonly key: CryptoKey
  readonly iv: Uint8Array<ArrayBuffer>
  readonly wrapped: ArrayBuffer
}

/** The device's secret, made if there is none. Durable when it resolves. */
export async function secretOf(store: Store): Promise<Uint8Array> {
  const kept = (await store.plain(KEPT)) as Kept | undefined
  return kept ? unwrapped(kept) : made(store)
}

async function unwrapped(kept: Kept): Promise<Uint8Array> {
  try {
    const secret = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: kept.iv }, kept.key, kept.wrapped)
    return new Uint8Array(secret)
  } catch (error) {
    throw new CoreError({ code: 'storage_damaged', detail: `the device's secret: ${String(error)}` })
  }
}

async function made(store: Store): Promise<Uint8Array> {
  const secret = crypto.getRandomValues(new Uint8Array(BYTES))
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
  const wrapped = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, secret)
  await store.putPlain(KEPT, { key, iv, wrapped } satisfies Kept)
  return secret
}
