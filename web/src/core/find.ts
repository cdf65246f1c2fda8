/** Search by title: what it contains, and how it is spelt, in pinyin or its initials, from the beginning of any character on. */
import type { Hit } from './api'
import { readingsOf } from './pinyin'

/** How a title sounds: for each of its parts a word in Latin letters or digits, or the syllables as which a character may be read. */
export type Sounds = readonly (readonly string[])[]

interface Known {
  readonly hit: Hit
  readonly lower: string
  readonly sounds: Sounds
}

const LIMIT = 50

export function soundsOf(title: string): Sounds {
  const parts = title.toLowerCase().match(/[a-z0-9]+|\p{Script=Han}/gu) ?? []
  const sounds = parts.map((part) => (/^[a-z0-9]/.test(part) ? [part] : readingsOf(part)))
  return sounds.filter((readings) => readings.length > 0)
}

/**
 * Whether letters spell a title from some part on, each part by a beginning of it: `zhangsan`, `zhangs`, `zs` and `zsan` all spell 张三.
 * The answer is the part at which it begins, or -1.
 */
export function spelt(letters: string, sounds: Sounds): number {
  return sounds.findIndex((_, at) => spelledFrom(letters, sounds, at))
}

function spelledFrom(letters: string, sounds: Sounds, at: number): boolean {
  if (letters === '') return true
  for (const sound of sounds[at] ?? []) {
    // The longest beginning first; a shorter one leaves letters for the next part, as in xian for 西安.
    for (let length = common(letters, sound); length > 0; length -= 1) {
      if (spelledFrom(letters.slice(length), sounds, at + 1)) return true
    }
  }
  return false
}

function common(one: string, other: string): number {
  let length = 0
  while (length < other.length && one[length] === other[length]) length += 1
  return length
}

export class Finder {
  private readonly known = new Map<string, Known>()
  /** Many records bear the same title: a household's visits bear its name. */
  private readonly sounds = new Map<string, Sounds>()

  constructor(hits: readonly Hit[]) {
    for (const hit of hits) this.add(hit)
  }

  add(hit: Hit): void {
    let sounds = this.sounds.get(hit.title)
    if (!sounds) {
      sounds = soundsOf(hit.title)
      this.sounds.set(hit.title, sounds)
    }
    this.known.set(`${hit.journal}/${hit.record}`, { hit, lower: hit.title.toLowerCase(), sounds })
  }

  /** Whether the record is known by another title. */
  retitles(hit: Hit): boolean {
    const known = this.known.get(`${hit.journal}/${hit.record}`)
    return known !== undefined && known.hit.title !== hit.title
  }

  remove(journal: string, record: string): void {
    this.known.delete(`${journal}/${record}`)
  }

  /** What may be the same thing twice: titles that are the same, or sound the same. */
  alike(title: string, kind: string, limit = LIMIT): Hit[] {
    const sounds = soundsOf(title)
    const found = [...this.known.values()].filter((known) => known.hit.kind === kind && soundAlike(sounds, known.sounds))
    return found.slice(0, limit).map((known) => known.hit)
  }

  /** Best first: titles that begin so, that contain it, that are spelt so from their beginning, then from further on. */
  search(text: string, kind: string | undefined, limit = LIMIT): Hit[] {
    const query = text.trim().toLowerCase()
    if (query === '') return []
    const letters = query.replace(/[\s'’]/g, '')
    const spells = /^[a-z0-9]+$/.test(letters)
    const ranks = new Map<string, number>()
    const found: { readonly rank: number; readonly known: Known }[] = []
    for (const known of this.known.values()) {
      if (kind !== undefined && known.hit.kind !== kind) continue
      let rank = ranks.get(known.lower)
      if (rank === undefined) {
        rank = rankOf(query, spells ? letters : null, known)
        ranks.set(known.lower, rank)
      }
      if (rank < NOT_FOUND) found.push({ rank, known })
    }
    found.sort((a, b) => a.rank - b.rank || a.known.lower.length - b.known.lower.length || order(a.known, b.known))
    return found.slice(0, limit).map(({ known }) => known.hit)
  }
}

/** Whether two titles sound the same: part for part one that may be read like the other. */
export function soundAlike(one: Sounds, other: Sounds): boolean {
  if (one.length === 0 || one.length !== other.length) return false
  return one.every((readings, at) => readings.some((reading) => other[at]?.includes(reading)))
}

const NOT_FOUND = 4

function rankOf(query: string, letters: string | null, known: Known): number {
  const at = known.lower.indexOf(query)
  if (at >= 0) return at === 0 ? 0 : 1
  if (letters === null) return NOT_FOUND
  const part = spelt(letters, known.sounds)
  if (part < 0) return NOT_FOUND
  return part === 0 ? 2 : 3
}

function order(a: Known, b: Known): number {
  return a.lower < b.lower ? -1 : a.lower > b.lower ? 1 : 0
}
