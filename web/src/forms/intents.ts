import type { Field, FieldOf, Intent, ItemId, Kind, RecordId, Value } from '../core/api'
import { isBlank, sameValue } from './values'

/** What a field reads as when its form is opened: what its control begins with. Null where it is masked or in conflict. */
export function beginsWith(of: FieldOf): Value {
  switch (of.shown?.is) {
    case 'value':
      return of.shown.masked ? null : of.shown.value
    case 'text':
      return of.shown.masked ? null : of.shown.text
    default:
      return null
  }
}

/** What is asked for by writing one field of a record. Empty if it says what it said before. */
export function write(record: RecordId, field: Field, of: FieldOf, value: Value, reason: string): Intent[] {
  const said = isBlank(value) ? null : value
  if (of.shown?.is === 'conflict') return [{ do: 'choose', record, field: field.name, value: said }]
  if (sameValue(said, beginsWith(of))) return []
  if (!of.maySet) return [{ do: 'amend', record, values: { [field.name]: said }, reason }]
  if (field.type.is === 'long_text') {
    const before = of.shown?.is === 'text' ? of.shown.text : ''
    return [{ do: 'edit', record, field: field.name, before, after: typeof said === 'string' ? said : '' }]
  }
  return [{ do: 'set', record, values: { [field.name]: said } }]
}

/** What is asked for by adding items to a list and taking others away. An amendment adds. */
export function writeItems(
  record: RecordId,
  field: Field,
  of: Pick<FieldOf, 'maySet'>,
  added: Value,
  removed: readonly ItemId[],
  reason: string,
): Intent[] {
  const intents: Intent[] = []
  if (!of.maySet) {
    if (!isBlank(added)) intents.push({ do: 'amend', record, values: { [field.name]: added }, reason })
    return intents
  }
  if (removed.length > 0) intents.push({ do: 'remove', record, field: field.name, items: removed })
  if (Array.isArray(added) && added.length > 0) intents.push({ do: 'insert', record, field: field.name, items: added })
  return intents
}

/** The action that files a new record of a kind at once, if it has one that asks for nothing more. */
export function filing(kind: Kind): string | null {
  const action = kind.actions.find((one) => {
    const to = kind.states.find((state) => state.name === one.to)
    const initial = one.from.some((from) => kind.states.find((state) => state.name === from)?.initial)
    return to?.filed === true && !to.closed && initial && !one.needsReason && one.needs.length === 0 && !one.retired
  })
  return action?.name ?? null
}
