import { shallowRef } from 'vue'

/** Something said in passing: it goes by itself, and by a touch. */
export interface Said {
  readonly text: string
  readonly tone: 'calm' | 'grave'
}

const CALM_MILLIS = 2_000
/** Long enough to be read twice by a tired person. */
const GRAVE_MILLIS = 8_000

/** What is being said now. */
export const said = shallowRef<Said | null>(null)

let timer: ReturnType<typeof setTimeout> | undefined

/** Says something; what was said before goes. */
export function sayBriefly(text: string, tone: Said['tone'] = 'calm'): void {
  clearTimeout(timer)
  said.value = { text, tone }
  timer = setTimeout(hush, tone === 'calm' ? CALM_MILLIS : GRAVE_MILLIS)
}

/** Stops saying it. */
export function hush(): void {
  clearTimeout(timer)
  said.value = null
}
