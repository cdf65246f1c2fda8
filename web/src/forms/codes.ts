import type { Code } from '../core/api'
import { say, t } from '../i18n'
import { setOf } from '../state/catalogue'
import type { Choice } from './Choices.vue'

/** What a form offers of a set: the codes in force, and those that the value has already. */
export function offered(set: string, chosen: readonly string[]): Choice[] {
  const codes: readonly Code[] = setOf(set)?.codes ?? []
  return codes
    .filter((code) => code.inForce || chosen.includes(code.code))
    .map((code) => ({ key: code.code, label: code.inForce ? say(code.label) : `${say(code.label)}（${t('record.inForce')}）` }))
}
