import type { FormId, Intent, JournalId, Saved } from '../core/api'
import { t } from '../i18n'
import { errorWords, fateLine } from '../i18n/words'
import { core } from './core'
import { sayBriefly } from './said'
import { syncSoon } from './syncing'

/** Says calmly that something went well. */
export function sayDone(text: string): void {
  sayBriefly(text)
}

/** Says what went wrong and what to do, long enough to be read. */
export function sayError(error: unknown): void {
  sayBriefly(errorWords(error), 'grave')
}

/**
 * Saves, says so, and sends it in the background. Null if it was not saved; why was said then.
 *
 * A form that can show what is wrong where it is wrong takes the error by `complain`.
 *
 * A fate that is foreseen and not `accepted` is told: what is saved may still turn out without effect.
 */
export async function saveAll(
  journal: JournalId,
  form: FormId | null,
  intents: Intent | readonly Intent[],
  done: string = t('common.saved'),
  complain: (error: unknown) => boolean = () => false,
): Promise<Saved | null> {
  let saved: Saved
  try {
    saved = await core().save(journal, form, intents)
  } catch (error) {
    if (!complain(error)) sayError(error)
    return null
  }
  syncSoon()
  const odd = saved.fates.find((fate) => fate.is !== 'accepted')
  if (odd) sayBriefly(t('record.wouldBe', { fate: fateLine(odd, undefined) }), 'grave')
  else sayDone(done)
  return saved
}

/**
 * Saves a new record and, if an action is named, takes that on it at once. Null if nothing was saved; why was said then.
 *
 * What is saved stays saved if the action cannot be: the record then waits in the due list for it, and the person is told.
 */
export async function saveAndAct(
  journal: JournalId,
  create: Extract<Intent, { readonly do: 'create' }>,
  action: string | null,
  done: string,
): Promise<Saved | null> {
  if (action === null) return saveAll(journal, null, create, done)
  let created: Saved
  try {
    created = await core().save(journal, null, create)
  } catch (error) {
    sayError(error)
    return null
  }
  syncSoon()
  return (await saveAll(journal, null, { do: 'act', record: created.record, action }, done)) ?? created
}
