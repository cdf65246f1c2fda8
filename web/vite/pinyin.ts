import { pinyin } from 'pinyin-pro'
import type { Plugin } from 'vite'

const NAME = 'virtual:pinyin'
const RESOLVED = `\0${NAME}`
/** CJK Unified Ideographs, where the characters of names are. */
const [FIRST, LAST] = [0x4e00, 0x9fff]
/** Where characters begin that stand for a set of readings: none of them needs escaping. */
const BASE = 0x100

/**
 * What the search needs to know of pinyin: how every character is read, without tones.
 *
 * The library knows words and tones too, in five times as many bytes as this, and a phone has to fetch them before it can be used.
 */
export function pinyinTable(): Plugin {
  return {
    name: 'pinyin-table',
    resolveId: (id) => (id === NAME ? RESOLVED : null),
    load: (id) => (id === RESOLVED ? table() : null),
  }
}

function table(): string {
  const common = charactersOf('gb2312')
  const characters = Array.from({ length: LAST - FIRST + 1 }, (_, at) => String.fromCodePoint(FIRST + at))
  const sets = characters.map((character) => readings(character, common.has(character)))
  const counts = new Map<string, number>()
  for (const set of sets) counts.set(set, (counts.get(set) ?? 0) + 1)
  // The most frequent first, so that the table is short when it is compressed.
  const known = [...counts.keys()].sort((one, other) => (counts.get(other) ?? 0) - (counts.get(one) ?? 0))
  const places = sets.map((set) => String.fromCharCode(BASE + known.indexOf(set))).join('')
  const parts = { first: FIRST, base: BASE, sets: known.join(','), places }
  return Object.entries(parts)
    .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)}`)
    .join('\n')
}

/** The readings of a character, `dan shan chan` for 单: all of a common one, the first of another; none for what has no syllable. */
function readings(character: string, isCommon: boolean): string {
  const all = pinyin(character, { multiple: true, toneType: 'none', type: 'array', v: true })
  const syllables = [...new Set(all.filter((one) => /^[a-z]+$/.test(one)))]
  return (isCommon ? syllables : syllables.slice(0, 1)).join(' ')
}

/** The Chinese characters of a character set of 94 by 94. */
function charactersOf(encoding: string): ReadonlySet<string> {
  const decoder = new TextDecoder(encoding)
  const bytes = Array.from({ length: 94 }, (_, at) => 0xa1 + at)
  const pairs = bytes.flatMap((lead) => bytes.map((trail) => decoder.decode(Uint8Array.of(lead, trail))))
  return new Set(pairs.filter((text) => /^\p{Script=Han}$/u.test(text)))
}
