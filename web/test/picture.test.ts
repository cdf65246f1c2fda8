import { describe, expect, it } from 'vitest'

import { takes } from '../src/forms/files'
import { isPictureAlone, pictureAlone } from '../src/forms/jpeg'
import { drawnSize } from '../src/forms/picture'
import { bareType, sayLength } from '../src/forms/recording'

function segment(marker: number, ...body: number[]): number[] {
  return [0xff, marker, 0, body.length + 2, ...body]
}

const JFIF = segment(0xe0, 0x4a, 0x46, 0x49, 0x46, 0)
const EXIF = segment(0xe1, 0x45, 0x78, 0x69, 0x66, 0, 0)
const PROFILE = segment(0xe2, 1, 2, 3)
const IPTC = segment(0xed, 9, 9)
const ADOBE = segment(0xee, 0x41, 0x64)
const COMMENT = segment(0xfe, 0x68, 0x69)
const TABLE = segment(0xdb, 0, 1)
// Drawn: a stuffed byte and a restart are no end of it.
const DRAWN = [...segment(0xda, 1, 2), 0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56]
const END = [0xff, 0xd9]

function jpeg(...parts: number[][]): Uint8Array {
  return Uint8Array.from([0xff, 0xd8, ...parts.flat()])
}

describe('a picture', () => {
  const alone = jpeg(JFIF, ADOBE, TABLE, DRAWN, DRAWN, END)

  it('keeps what is drawn and loses what is told of it', () => {
    const told = jpeg(JFIF, EXIF, PROFILE, IPTC, ADOBE, COMMENT, TABLE, DRAWN, COMMENT, DRAWN, END, [1, 2, 3])
    expect(isPictureAlone(told)).toBe(false)
    expect(pictureAlone(told)).toEqual(alone)
    expect(isPictureAlone(alone)).toBe(true)
    expect(pictureAlone(alone)).toEqual(alone)
  })

  it('with anything after its end, or beside it, is not alone', () => {
    expect(isPictureAlone(Uint8Array.from([...alone, 0]))).toBe(false)
    expect(isPictureAlone(jpeg(EXIF, TABLE, DRAWN, END))).toBe(false)
    expect(isPictureAlone(jpeg(COMMENT, TABLE, DRAWN, END))).toBe(false)
  })

  it('that is cut off, or none, is nothing', () => {
    for (let length = 0; length < alone.length; length += 1) expect(pictureAlone(alone.subarray(0, length))).toBeNull()
    expect(pictureAlone(Uint8Array.from([0x89, 0x50, 0x4e, 0x47]))).toBeNull()
    expect(pictureAlone(jpeg([0x00, 0x00], END))).toBeNull()
  })

  it('is drawn with its longest side at most 1600', () => {
    expect(drawnSize(4000, 3000)).toEqual({ width: 1600, height: 1200 })
    expect(drawnSize(3000, 4000)).toEqual({ width: 1200, height: 1600 })
    expect(drawnSize(800, 600)).toEqual({ width: 800, height: 600 })
    expect(drawnSize(20_000, 3)).toEqual({ width: 1600, height: 1 })
  })
})

describe('a field of files', () => {
  it('takes in what its name says, else both', () => {
    expect(takes({ name: 'photos' })).toEqual({ photos: true, voice: false })
    expect(takes({ name: 'voice' })).toEqual({ photos: false, voice: true })
    expect(takes({ name: 'evidence' })).toEqual({ photos: true, voice: true })
  })
})

describe('a recording', () => {
  it('is of a bare type and a readable length', () => {
    expect(bareType('audio/webm;codecs=opus')).toBe('audio/webm')
    expect([0, 9, 61, 600].map(sayLength)).toEqual(['0:00', '0:09', '1:01', '10:00'])
  })
})
