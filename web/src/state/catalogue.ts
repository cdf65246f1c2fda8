import { computed, shallowRef } from 'vue'

import type { Catalogue, CategorySet, JournalId, Kind, Village } from '../core/api'
import { core } from './core'

/** The catalogue that is in use; null until one has come. */
export const catalogue = shallowRef<Catalogue | null>(null)
/** The villages on this phone. */
export const villages = shallowRef<readonly Village[]>([])

/** Reads both anew: after unlocking, and whenever a sync may have brought others. */
export async function readCatalogue(): Promise<void> {
  const [newest, here] = await Promise.all([
    core()
      .catalogue()
      .catch(() => null),
    core()
      .villages()
      .catch(() => []),
  ])
  // The same version again changes nothing: forms that are open stay as they are.
  if (newest?.version !== catalogue.value?.version || !catalogue.value) catalogue.value = newest
  villages.value = here
}

/** A kind by its name. */
export function kindOf(name: string): Kind | undefined {
  return catalogue.value?.kinds.find((kind) => kind.name === name)
}

/** A set of codes by its name. */
export function setOf(name: string): CategorySet | undefined {
  return catalogue.value?.sets[name]
}

/** A village by its journal. */
export function villageOf(journal: JournalId): Village | undefined {
  return villages.value.find((village) => village.journal === journal)
}

/** The villages in which this person may make records of a kind. */
export function villagesCreating(kind: string): readonly Village[] {
  return villages.value.filter((village) => village.creates.includes(kind))
}

/** The kinds that lists offer: those that are in use. */
export const kindsShown = computed(() => catalogue.value?.kinds.filter((kind) => !kind.retired) ?? [])
