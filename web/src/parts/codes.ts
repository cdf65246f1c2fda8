/**
 * A parcel as a series of QR codes, for two who stand side by side where there is no network: shown one after the other, over and
 * over, and read in any order.
 *
 * Each says `ZCP1`, which parcel it is of, its place, how many there are, and its part in base64url.
 */
const MARK = 'ZCP1'
/** A code that an old camera still reads from a small screen. */
const PART_BYTES = 300
/** More would be held up for longer than anybody's arm does. */
const PARTS_MAX = 24

export const PARCEL_BYTES_MAX = PART_BYTES * PARTS_MAX

/** Tells one parcel from another; that nobody changed it, its seal says. */
function checksum(bytes: Uint8Array): string {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (~crc >>> 0).toString(16).padStart(8, '0')
}

function textOf(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

function bytesOf(text: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
  } catch {
    return null
  }
}

/** What the codes say; null if it is too much. */
export function codesOf(parcel: Uint8Array): readonly string[] | null {
  if (parcel.length === 0 || parcel.length > PARCEL_BYTES_MAX) return null
  const count = Math.ceil(parcel.length / PART_BYTES)
  const part = (at: number): string => textOf(parcel.subarray(at * PART_BYTES, (at + 1) * PART_BYTES))
  return Array.from({ length: count }, (_, at) => [MARK, checksum(parcel), at + 1, count, part(at)].join('.'))
}

/** How far reading is. */
export interface Read {
  readonly have: number
  readonly of: number
  /** The parcel, once it is whole. */
  readonly parcel: Uint8Array | null
}

/** Puts together what is read, in any order; null for what is no part of a parcel. A part of another parcel begins anew. */
export class Reading {
  private parts = new Map<number, Uint8Array>()
  private sum = ''

  take(text: string): Read | null {
    const [mark, sum = '', place = '', number = '', encoded = '', ...more] = text.split('.')
    const [at, of, part] = [Number(place), Number(number), bytesOf(encoded)]
    const fits = Number.isInteger(at) && Number.isInteger(of) && at >= 1 && at <= of && of <= PARTS_MAX
    if (mark !== MARK || more.length > 0 || !fits || !part || part.length === 0 || part.length > PART_BYTES) return null
    if (`${sum}/${of}` !== this.sum) this.parts = new Map()
    this.sum = `${sum}/${of}`
    this.parts.set(at, part)
    if (this.parts.size < of) return { have: this.parts.size, of, parcel: null }
    const whole = new Uint8Array([...this.parts].sort(([one], [other]) => one - other).flatMap(([, bytes]) => [...bytes]))
    if (checksum(whole) === sum) return { have: of, of, parcel: whole }
    // Misread somewhere: nobody knows where.
    this.parts = new Map()
    return { have: 0, of, parcel: null }
  }
}
