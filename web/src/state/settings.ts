import { reactive } from 'vue'

import type { Lang, Settings } from '../core/api'
import { speak } from '../i18n'
import { core } from './core'

/** The settings as they are; the core keeps them. */
export const settings = reactive<{ -readonly [key in keyof Settings]: Settings[key] }>({
  lang: null,
  textSize: 100,
  autoLockMinutes: 5,
  wifiOnly: false,
})

/** From here on screens are laid out for large text. */
const LARGE = 150

/** Where the page itself finds the language again that was chosen: a second window has no core to ask. */
const LANG = 'zhucun-lang'

/** The language that fits whoever has not chosen one: Chinese, unless the phone speaks English. */
function languageOfPhone(): Lang {
  const chosen = localStorage.getItem(LANG)
  if (chosen === 'zh' || chosen === 'en') return chosen
  const first = navigator.languages.find((tag) => tag.startsWith('zh') || tag.startsWith('en'))
  return first?.startsWith('en') ? 'en' : 'zh'
}

async function apply(): Promise<void> {
  document.documentElement.style.fontSize = `${settings.textSize}%`
  document.documentElement.classList.toggle('large', settings.textSize >= LARGE)
  if (settings.lang) localStorage.setItem(LANG, settings.lang)
  // Where the words of a language cannot be had, those that are there stay.
  await speak(settings.lang ?? languageOfPhone()).catch(() => undefined)
}

/** Reads the settings and puts them into effect. */
export async function readSettings(): Promise<void> {
  try {
    Object.assign(settings, await core().settings())
  } finally {
    await apply()
  }
}

/** Changes settings: at once for whoever looks, and for the next start. */
export async function changeSettings(change: Partial<Settings>): Promise<void> {
  Object.assign(settings, change)
  await apply()
  Object.assign(settings, await core().putSettings(change))
}

/** Follows the phone's own choice of light or dark. */
export function followDark(): void {
  const dark = window.matchMedia('(prefers-color-scheme: dark)')
  const follow = () => document.documentElement.classList.toggle('van-theme-dark', dark.matches)
  dark.addEventListener('change', follow)
  follow()
}
