/** JPEG files as the server takes them: a picture and nothing beside it. */

const [SOI, EOI, SOS, COM] = [0xd8, 0xd9, 0xda, 0xfe]
const [APP0, APP14, APP15] = [0xe0, 0xee, 0xef]

/** Markers that stand alone, without a length. */
function isBare(marker: number): boolean {
  return marker === 0x01 || (marker >= 0xd0 && marker <= EOI)
}

/** Where and when a picture was taken, by whom and with what, stands here; how its colours are to be read, in APP0 and APP14. */
function tellsMore(marker: number): boolean {
  return marker === COM || (marker > APP0 && marker <= APP15 && marker !== APP14)
}

interface Segment {
  readonly marker: number
  readonly from: number
  readonly to: number
}

/** The segments in order; null if it is no whole JPEG. What was drawn lies with the segment before it. */
function segments(bytes: Uint8Array): Segment[] | null {
  if (bytes[0] !== 0xff || bytes[1] !== SOI) return null
  const found: Segment[] = [{ marker: SOI, from: 0, to: 2 }]
  let at = 2
  while (at + 1 < bytes.length) {
    const marker = bytes[at + 1] ?? 0
    if (bytes[at] !== 0xff || marker === 0) return null
    // Markers may be padded.
    if (marker === 0xff) {
      at += 1
      continue
    }
    if (marker === EOI) return [...found, { marker, from: at, to: at + 2 }]
    const length = isBare(marker) ? 0 : ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
    let to = at + 2 + length
    if (marker === SOS) to = drawnUntil(bytes, to)
    if (to > bytes.length) return null
    found.push({ marker, from: at, to })
    at = to
  }
  return null
}

/** Where drawing ends: at the next marker that is no restart and no byte of the drawing. */
function drawnUntil(bytes: Uint8Array, from: number): number {
  let at = from
  for (; at + 1 < bytes.length; at += 1) {
    const next = bytes[at + 1] ?? 0
    if (bytes[at] === 0xff && next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at
  }
  return bytes.length + 1
}

/** The picture alone: what some browsers write beside it, and whatever follows it, is left out. Null if it is no whole JPEG. */
export function pictureAlone(bytes: Uint8Array): Uint8Array | null {
  const kept = segments(bytes)?.filter(({ marker }) => !tellsMore(marker))
  if (!kept) return null
  const alone = new Uint8Array(kept.reduce((length, { from, to }) => length + to - from, 0))
  let end = 0
  for (const { from, to } of kept) {
    alone.set(bytes.subarray(from, to), end)
    end += to - from
  }
  return alone
}

/** Whether it is a JPEG that tells nothing but the picture. */
export function isPictureAlone(bytes: Uint8Array): boolean {
  const all = segments(bytes)
  return all !== null && !all.some(({ marker }) => tellsMore(marker)) && all.at(-1)?.to === bytes.length
}
