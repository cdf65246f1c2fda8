import type { JournalId } from '../core/api'
import type { Asked } from './values'

/** What every control is given beside its value. */
export interface ControlProps {
  readonly id: string
  readonly asked: Asked
  readonly journal: JournalId
}
