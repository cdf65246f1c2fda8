import { computed, onBeforeUnmount, ref, shallowRef, type ComputedRef, type Ref } from 'vue'

import type { Action, Field, FormId, Intent, Kind, RecordPage, Value } from '../core/api'
import { core } from '../state/core'
import { useDraft } from '../state/draft'
import { saveAll } from '../state/saving'
import { useFilled } from './filled'
import { filledIn, isBlank } from './values'

/** What is asked of whoever takes an action, and what he has answered so far. */
export interface Acting {
  /** The fields that it brings, in the order of the catalogue. */
  readonly fields: ComputedRef<readonly Field[]>
  readonly needsReason: ComputedRef<boolean>
  /** Kept while it is typed. */
  readonly said: Ref<Said>
  isNeeded(field: Field): boolean
  /** The fields that it must bring and that say nothing yet. */
  readonly lacking: ComputedRef<readonly Field[]>
  readonly isComplete: ComputedRef<boolean>
  /** What would be asked for now. */
  readonly intent: ComputedRef<Intent>
  readonly saving: Ref<boolean>
  /** Takes the action, after what is asked for besides, all in one save; false if nothing was saved, and why was said then. */
  save(before?: readonly Intent[]): Promise<boolean>
}

export interface Said {
  reason: string
  values: Record<string, Value>
}

/** An action that is being taken on a record; `void` is one, too. It stands on what its person had before him when he began. */
export function useActing(page: RecordPage, kind: () => Kind, action: Action | 'void'): Acting {
  const form = shallowRef<FormId | null>(null)
  const saving = ref(false)

  const needsReason = computed(() => action === 'void' || action.needsReason)
  const fields = computed<Field[]>(() => {
    if (action === 'void') return []
    const brought = new Set([...action.needs, ...action.writes])
    return kind().fields.filter((field) => brought.has(field.name))
  })

  const draft = useDraft<Said>(
    `act/${page.record}/${action === 'void' ? 'void' : action.name}`,
    () => ({ reason: '', values: {} }),
    (kept) => kept.reason === '' && Object.keys(filledIn(kept.values)).length === 0,
  )
  const said = draft.value

  const isNeeded = (field: Field): boolean => action !== 'void' && action.needs.includes(field.name)
  const lacking = computed(() => fields.value.filter((field) => isNeeded(field) && isBlank(said.value.values[field.name])))
  const isComplete = computed(() => (!needsReason.value || said.value.reason.trim() !== '') && lacking.value.length === 0)

  const intent = computed<Intent>(() => {
    const reason = said.value.reason.trim()
    const values = filledIn(said.value.values)
    if (action === 'void') return { do: 'void', record: page.record, reason }
    return {
      do: 'act',
      record: page.record,
      action: action.name,
      ...(Object.keys(values).length > 0 ? { values } : {}),
      ...(reason ? { reason } : {}),
    }
  })

  const opening = core()
    .openForm(page.journal, page.record)
    .then((opened) => (form.value = opened))
    .catch(() => null)
  onBeforeUnmount(() => {
    void opening.then(async () => {
      if (form.value !== null) await core().closeForm(form.value).catch(() => undefined)
    })
  })

  const fill = useFilled(
    computed(() => page.journal),
    () => fields.value,
    computed(() => said.value.values),
    () => intent.value,
  )
  void draft.ready.then(() => (fields.value.length > 0 ? fill() : undefined))

  async function save(before: readonly Intent[] = []): Promise<boolean> {
    await opening
    saving.value = true
    const saved = await saveAll(page.journal, form.value, before.length > 0 ? [...before, intent.value] : intent.value)
    saving.value = false
    if (!saved) return false
    form.value = null
    await draft.drop()
    return true
  }

  return { fields, needsReason, said, isNeeded, lacking, isComplete, intent, saving, save }
}
