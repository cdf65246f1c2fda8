import { pinyin } from 'pinyin-pro'
import type { Plugin } from 'vite'

const NAME = 'virtual:pinyin'
const RESOLVED = `\0${NAME}`
/** CJK Unified Ideographs, where the characters of names are. */
const [FIRST, LAST] = [0x4e00, 0x9fff]
/** Where characters begin that stand for a set of readings: none of them needs escaping. */
const BASE = 0x100

/**
 * What the search needs to know of pinyin: all readings of every character, without tones.
 *
 * The library knows words and tones too, in four times as many bytes as this, and a phone has to fetch them before it can be used.
 */
export function pinyinTable(): Plugin {
  return {
    name: 'pinyin-table',
    resolveId: (id) => (id === NAME ? RESOLVED : null),
    load: (id) => (id === RESOLVED ? table() : null),
  }
}

function table(): string {
  const known = new Map<string, number>()
  let places = ''
  for (let code = FIRST; code <= LAST; code += 1) {
    const set = readings(String.fromCodePoint(code))
    const place = known.get(set) ?? known.size
    known.set(set, place)
    places += String.fromCharCode(BASE + place)
  }
  const parts = { first: FIRST, base: BASE, sets: [...known.keys()].join(','), places }
  return Object.entries(parts)
    .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)}`)
    .join('\n')
}

/** The readings of a character, `dan shan chan` for 单; none for what has no syllable. */
function readings(character: string): string {
  const all = pinyin(character, { multiple: true, toneType: 'none', type: 'array', v: true })
  return [...new Set(all.filter((one) => /^[a-z]+$/.test(one)))].join(' ')
}
