import { CoreError, type FormId, type Intent, type JournalId, type Saved } from '../core/api'
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
 * Saves a new record and, if an action is named, takes that on it in the same save, so that they travel together. Null if nothing
 * was saved; why was said then.
 *
 * The record is saved alone if the action would not count: it then waits in the due list for it, and the person is told.
 */
export async function saveAndAct(
  journal: JournalId,
  create: Extract<Intent, { readonly do: 'create' }>,
  action: string | null,
  done: string,
): Promise<Saved | null> {
  if (action === null) return saveAll(journal, null, create, done)
  let cannot: unknown = null
  const both = await saveAll(journal, null, [create, { do: 'act', made: create.kind, action }], done, (error) => {
    cannot = error instanceof CoreError && error.code === 'would_not_count' ? error : null
    return cannot !== null
  })
  if (both || cannot === null) return both
  const created = await saveAll(journal, null, create, done)
  // Where the record itself is what would not count, that was said.
  if (created) sayError(cannot)
  return created
}
