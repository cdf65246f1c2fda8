import type { Action, CommandLine, Fate, HeldBack, Kind, Label, Step } from '../core/api'
import { CoreError } from '../core/api'
import { sayDay } from './dates'
import { hasWords, say, t } from './index'

/** The words of a code, and what to do about it; empty if there is nothing to do. */
export interface Worded {
  readonly is: string
  readonly remedy: string
}

function coded(group: 'flag' | 'noEffect' | 'refused' | 'problem' | 'heldBack', code: string): Worded | null {
  const key = `codes.${group}.${code}`
  if (!hasWords(`${key}.is`)) return null
  return { is: t(`${key}.is`), remedy: hasWords(`${key}.remedy`) ? t(`${key}.remedy`) : '' }
}

/** The word of a fate: 未生效, 拒收. */
export function fateWord(fate: Fate): string {
  return t(`fate.${fate.is}`)
}

/** Why a fate is what it is, and what to do about it. */
export function fateWhy(fate: Fate, kind: Kind | undefined): Worded | null {
  switch (fate.is) {
    case 'accepted':
      return null
    case 'flagged': {
      const all = fate.flags.map((flag) => coded('flag', flag) ?? { is: t('fate.unknown'), remedy: '' })
      return { is: all.map((one) => one.is).join(t('common.comma')), remedy: all.find((one) => one.remedy)?.remedy ?? '' }
    }
    case 'noEffect':
      return coded('noEffect', fate.code) ?? { is: t('fate.unknown'), remedy: '' }
    case 'refused': {
      const words = coded('refused', fate.code) ?? { is: t('fate.unknown'), remedy: '' }
      return fate.field ? { is: words.is + t('fate.field', { field: fieldLabel(kind, fate.field) }), remedy: words.remedy } : words
    }
  }
}

/** A fate in one line. */
export function fateLine(fate: Fate, kind: Kind | undefined): string {
  const why = fateWhy(fate, kind)
  return why ? `${fateWord(fate)} · ${why.is}` : fateWord(fate)
}

/** A field by its label; `reason` is no field, but commands are refused for it. */
export function fieldLabel(kind: Kind | undefined, name: string): string {
  const field = kind?.fields.find((one) => one.name === name)
  if (field) return say(field.label)
  return name === 'reason' ? t('common.reason') : name
}

/** What a field says, in a line: days as they are said. */
export function fieldText(kind: Kind | undefined, { field, text }: { readonly field: string; readonly text: Label }): string {
  const type = kind?.fields.find((one) => one.name === field)?.type.is
  return type === 'date' && text.zh !== '' ? sayDay(text.zh) : say(text)
}

/** An action by its label. */
export function actionLabel(kind: Kind | undefined, name: string): string {
  const action: Action | undefined = kind?.actions.find((one) => one.name === name)
  return action ? say(action.label) : name
}

/** A state by its label. */
export function stateLabel(kind: Kind | undefined, name: string | null): string {
  const state = kind?.states.find((one) => one.name === name)
  return state ? say(state.label) : (name ?? '')
}

/** What a command did, in a few words. */
export function didWhat(step: Pick<Step | CommandLine, 'verb' | 'action' | 'fields'>, kind: Kind | undefined): string {
  const fields = step.fields.map((name) => fieldLabel(kind, name)).join(t('common.comma'))
  if (step.verb === 'act' && step.action) return actionLabel(kind, step.action)
  if (step.verb === 'set' && step.fields.length === 0) return t('verbs.open')
  return t(`verbs.${step.verb}`, { fields }).trim()
}

/** Why a batch was not taken. */
export function heldBackWords(held: HeldBack): string {
  const own = `heldBack.${held.code}`
  if (hasWords(own)) return t(own)
  return coded('heldBack', held.code)?.is ?? t('error.other', { code: held.code })
}

/** What went wrong, and what to do, for whoever reads the screen. */
export function errorWords(error: unknown): string {
  if (!(error instanceof CoreError)) return t('error.broken')
  return shapeWords(error)
}

/** The same of the shape that a report carries. */
export function shapeWords(error: Pick<CoreError, 'code' | 'fate' | 'title' | 'remedy' | 'retryAfterSeconds'>): string {
  const parts: string[] = []
  const own = `error.${error.code}`
  const problem = coded('problem', error.code)
  if (hasWords(own)) parts.push(t(own))
  else if (problem) parts.push(problem.is, problem.remedy)
  else if (error.title) parts.push(say(error.title), say(error.remedy))
  else parts.push(t('error.other', { code: error.code }))
  if (error.fate) parts.push(fateLine(error.fate, undefined))
  if (error.retryAfterSeconds) parts.push(t('error.retryAfter', { n: error.retryAfterSeconds }))
  return parts.filter(Boolean).join(' · ')
}
