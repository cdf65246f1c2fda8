/** Search by title: what it contains, and how it is spelt, in pinyin or its initials, from the beginning of any character on. */
import type { Hit } from './api'
import { readingsOf } from './pinyin'

/** How a title sounds: for each of its parts a word in Latin letters or digits, or the syllables as which a character may be read. */
export type Sounds = readonly (readonly string[])[]

/** A title, and what bears it: a household's visits bear its name. */
interface Title {
  readonly lower: string
  readonly sounds: Sounds
  /** The letters with which its parts may begin, by bits. */
  readonly initials: number
  readonly hits: Map<string, Hit>
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
  for (let at = 0; at < sounds.length; at += 1) if (spelledFrom(letters, 0, sounds, at)) return at
  return -1
}

/** Whether the letters from `begun` on spell the parts from `at` on. */
function spelledFrom(letters: string, begun: number, sounds: Sounds, at: number): boolean {
  if (begun === letters.length) return true
  for (const sound of sounds[at] ?? []) {
    // The longest beginning first; a shorter one leaves letters for the next part, as in xian for 西安.
    for (let length = common(letters, begun, sound); length > 0; length -= 1) {
      if (spelledFrom(letters, begun + length, sounds, at + 1)) return true
    }
  }
  return false
}

function common(letters: string, begun: number, sound: string): number {
  let length = 0
  while (length < sound.length && letters.charCodeAt(begun + length) === sound.charCodeAt(length)) length += 1
  return length
}

export class Finder {
  private readonly byRecord = new Map<string, Title>()
  private readonly byName = new Map<string, Title>()
  /** In the order in which equally good ones are found; null while a new one has no place in it. */
  private ordered: Title[] | null = null

  constructor(hits: readonly Hit[]) {
    for (const hit of hits) this.add(hit)
    this.inOrder()
  }

  add(hit: Hit): void {
    const lower = hit.title.toLowerCase()
    let title = this.byName.get(lower)
    if (!title) {
      const sounds = soundsOf(lower)
      title = { lower, sounds, initials: initialsOf(sounds), hits: new Map() }
      this.byName.set(lower, title)
      this.ordered = null
    }
    const record = key(hit.journal, hit.record)
    const before = this.byRecord.get(record)
    if (before !== title) before?.hits.delete(record)
    title.hits.set(record, hit)
    this.byRecord.set(record, title)
  }

  /** Whether the record is known by another title. */
  retitles(hit: Hit): boolean {
    const title = this.byRecord.get(key(hit.journal, hit.record))
    return title !== undefined && title.hits.get(key(hit.journal, hit.record))?.title !== hit.title
  }

  remove(journal: string, record: string): void {
    this.byRecord.get(key(journal, record))?.hits.delete(key(journal, record))
    this.byRecord.delete(key(journal, record))
  }

  /** What may be the same thing twice: titles that are the same, or sound the same. */
  alike(title: string, kind: string, limit = LIMIT): Hit[] {
    const sounds = soundsOf(title)
    const titles = this.inOrder().filter((one) => soundAlike(sounds, one.sounds))
    return hitsOf(titles, kind, limit)
  }

  /** Best first: titles that begin so, that contain it, that are spelt so from their beginning, then from further on. */
  search(text: string, kind: string | undefined, limit = LIMIT): Hit[] {
    const query = text.trim().toLowerCase()
    if (query === '') return []
    const letters = query.replace(/[\s'’]/g, '')
    const spells = /^[a-z0-9]+$/.test(letters) ? letters : null
    const ranked: Title[][] = [[], [], [], []]
    for (const title of this.inOrder()) ranked[rankOf(query, spells, title)]?.push(title)
    return hitsOf(ranked.flat(), kind, limit)
  }

  private inOrder(): readonly Title[] {
    this.ordered ??= [...this.byName.values()].sort(order)
    return this.ordered
  }
}

const key = (journal: string, record: string): string => `${journal}/${record}`

function hitsOf(titles: readonly Title[], kind: string | undefined, limit: number): Hit[] {
  const found: Hit[] = []
  for (const title of titles) {
    for (const hit of title.hits.values()) {
      if (found.length === limit) return found
      if (kind === undefined || hit.kind === kind) found.push(hit)
    }
  }
  return found
}

/** One bit for each letter or digit, modulo the bits that a number has: who lacks it lacks the letter. */
const bitOf = (letter: string): number => 1 << letter.charCodeAt(0) % 32

function initialsOf(sounds: Sounds): number {
  return sounds.flat().reduce((initials, sound) => initials | bitOf(sound), 0)
}

/** Whether two titles sound the same: part for part one that may be read like the other. */
export function soundAlike(one: Sounds, other: Sounds): boolean {
  if (one.length === 0 || one.length !== other.length) return false
  return one.every((readings, at) => readings.some((reading) => other[at]?.includes(reading)))
}

const NOT_FOUND = 4

function rankOf(query: string, letters: string | null, title: Title): number {
  const at = title.lower.indexOf(query)
  if (at >= 0) return at === 0 ? 0 : 1
  if (letters === null || (title.initials & bitOf(letters)) === 0) return NOT_FOUND
  const part = spelt(letters, title.sounds)
  if (part < 0) return NOT_FOUND
  return part === 0 ? 2 : 3
}

function order(a: Title, b: Title): number {
  if (a.lower.length !== b.lower.length) return a.lower.length - b.lower.length
  return a.lower < b.lower ? -1 : a.lower > b.lower ? 1 : 0
}
