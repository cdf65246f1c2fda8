import { compile, registerMessageCompiler, resolveValue } from '@intlify/core-base'
import { createI18n, registerMessageResolver, useI18n } from 'petite-vue-i18n'
import { Locale } from 'vant'
import vantZh from 'vant/es/locale/lang/zh-CN'

import type { Label, Lang } from '../core/api'
import { isPlain } from './plain'
import { zh } from './zh'

// Messages stand in groups: `visit.save`.
registerMessageResolver(resolveValue)
// Most messages have nothing in them to be filled in: they are what they say, and travel as that.
registerMessageCompiler((message, context) => (typeof message === 'string' && isPlain(message) ? () => message : compile(message, context)))

/** Messages are compiled to trees and interpreted: no code is made of strings, so the content policy needs no exception. */
export const i18n = createI18n({
  legacy: false,
  locale: 'zh',
  fallbackLocale: 'zh',
  messages: { zh } as Record<Lang, typeof zh>,
  missingWarn: false,
  fallbackWarn: false,
})

/** The language that the app speaks now. */
export function lang(): Lang {
  return i18n.global.locale.value as Lang
}

/** English, which few need at once: it is fetched when it is asked for, or when the app has nothing else to do. */
export async function fetchEnglish(): Promise<void> {
  const [{ en }, { default: vantEn }] = await Promise.all([import('./en'), import('vant/es/locale/lang/en-US')])
  i18n.global.setLocaleMessage('en', en)
  Locale.add({ 'en-US': vantEn })
}

/** The app's language from now on: its own words, Vant's, and what a screen reader is told. */
export async function speak(next: Lang): Promise<void> {
  if (next === 'en' && !i18n.global.availableLocales.includes('en')) await fetchEnglish()
  i18n.global.locale.value = next
  document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en'
  document.title = i18n.global.t('app.name')
  if (next === 'zh') Locale.use('zh-CN', vantZh)
  else Locale.use('en-US')
}

/** A label of the catalogue in the app's language. */
export function say(label: Label | null | undefined): string {
  return label ? label[lang()] : ''
}

/** A message; with a number `n`, in the form that the number takes. */
export function t(key: string, values: Record<string, unknown> = {}): string {
  const n = values['n']
  return typeof n === 'number' ? i18n.global.t(key, values, n) : i18n.global.t(key, values)
}

/** Whether there are words for a key; an empty message is none. */
export function hasWords(key: string): boolean {
  return i18n.global.t(key) !== key
}

/** What a screen's template speaks with. */
export function useWords() {
  // Ties the template to the language, so that it is drawn anew when that changes.
  useI18n({ useScope: 'global' })
  return { t, say }
}
