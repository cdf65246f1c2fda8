/** How characters sound. The table is made when the app is built (`vite/pinyin.ts`). */
import { base, first, places, sets } from 'virtual:pinyin'

const readings: readonly (readonly string[])[] = sets.split(',').map((set) => (set === '' ? [] : set.split(' ')))

/** All readings of a character, without tones; none for what is no Chinese character. */
export function readingsOf(character: string): readonly string[] {
  const place = places.charCodeAt((character.codePointAt(0) ?? 0) - first)
  return readings[place - base] ?? []
}
