import { toRaw } from 'vue'

/** A copy of a value without the proxies by which Vue follows it. Bytes and functions stay what they are. */
export function plain(value: unknown): unknown {
  const raw: unknown = toRaw(value)
  if (Array.isArray(raw)) return raw.map(plain)
  if (typeof raw !== 'object' || raw === null || Object.getPrototypeOf(raw) !== Object.prototype) return raw
  return Object.fromEntries(Object.entries(raw).map(([key, inner]) => [key, plain(inner)]))
}
