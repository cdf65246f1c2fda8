import decode from 'qr/decode.js'
import { encodeQR } from 'qr'
import { describe, expect, it } from 'vitest'

import { codesOf, PARCEL_BYTES_MAX, Reading } from '../src/parts/codes'

function parcel(length: number, first = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 17 + first) % 256)
}

describe('a parcel in codes', () => {
  it('is read in any order, each as often as it is seen', () => {
    const bytes = parcel(1_000)
    const codes = codesOf(bytes) ?? []
    expect(codes).toHaveLength(4)
    const reading = new Reading()
    const said = [2, 2, 0, 3].map((at) => reading.take(codes[at] ?? ''))
    expect(said).toEqual([1, 1, 2, 3].map((have) => ({ have, of: 4, parcel: null })))
    expect(reading.take(codes[1] ?? '')).toEqual({ have: 4, of: 4, parcel: bytes })
  })

  it('is one code if it is small, and none if it is large', () => {
    expect(codesOf(parcel(300))).toHaveLength(1)
    expect(codesOf(parcel(301))).toHaveLength(2)
    expect(codesOf(parcel(PARCEL_BYTES_MAX))).toHaveLength(24)
    expect(codesOf(parcel(PARCEL_BYTES_MAX + 1))).toBeNull()
    expect(codesOf(parcel(0))).toBeNull()
  })

  it('begins anew with another parcel, and passes over what is none', () => {
    const [one, other] = [codesOf(parcel(700)) ?? [], codesOf(parcel(700, 2)) ?? []]
    const reading = new Reading()
    for (const none of ['', '7Q2K-9FXA-0MZT-B4CE', 'ZCP1.0.1.99.AA', 'ZCP1.0.0.2.AA', 'ZCP1.0.1.2.!', 'ZCP1.0.1.2.', `${one[0]}.x`]) {
      expect(reading.take(none), none).toBeNull()
    }
    reading.take(one[0] ?? '')
    reading.take(one[1] ?? '')
    expect(reading.take(other[2] ?? '')).toEqual({ have: 1, of: 3, parcel: null })
    reading.take(other[0] ?? '')
    expect(reading.take(other[1] ?? '')?.parcel).toEqual(parcel(700, 2))
  })

  it('that was misread is read again', () => {
    const codes = codesOf(parcel(350)) ?? []
    const reading = new Reading()
    reading.take((codes[0] ?? '').slice(0, -4) + 'AAAA')
    expect(reading.take(codes[1] ?? '')).toEqual({ have: 0, of: 2, parcel: null })
    reading.take(codes[0] ?? '')
    expect(reading.take(codes[1] ?? '')?.parcel).toEqual(parcel(350))
  })

  it('is what a camera reads from the screen', () => {
    const [code = ''] = codesOf(parcel(2_000)) ?? []
    const squares = encodeQR(code, 'raw', { ecc: 'low', border: 4 })
    const side = squares.length * 4
    const data = new Uint8Array(side * side * 4)
    for (let at = 0; at < side * side; at += 1) {
      const isDark = squares[Math.floor(at / side / 4)]?.[Math.floor((at % side) / 4)]
      data.set(isDark ? [0, 0, 0, 255] : [255, 255, 255, 255], at * 4)
    }
    expect(decode({ width: side, height: side, data })).toBe(code)
  })
})
