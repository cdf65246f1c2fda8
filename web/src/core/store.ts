/**
 * Where sealed values lie: one IndexedDB with a table of names and bytes, as the core writes them; a second one for files of
 * records, which are too large to be read whenever the phone is unlocked; and a third one for what is known before the PIN is: the
 * device's secret, wrapped, and the settings.
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import { CoreError } from './api'

/** A change of what is kept: a name with sealed bytes, or with null for what goes. */
export type Stored = [name: string, value: Uint8Array | null]

interface Tables extends DBSchema {
  values: { key: string; value: Uint8Array }
  files: { key: string; value: Uint8Array }
  plain: { key: string; value: unknown }
}

const NAME = 'zhucun'
/** What the core calls files of records. */
const FILE = 'shell/file/'

type Table = 'values' | 'files'

function tableOf(name: string): Table {
  return name.startsWith(FILE) ? 'files' : 'values'
}

export class Store {
  private constructor(private readonly database: IDBPDatabase<Tables>) {}

  /** Opens it, empty if it was not there. `lost` is called if the browser closes it by itself, as it does when it clears it. */
  static async open(lost: () => void): Promise<Store> {
    const database = await openDB<Tables>(NAME, 2, {
      upgrade(database, from) {
        if (from < 1) {
          database.createObjectStore('values')
          database.createObjectStore('plain')
        }
        database.createObjectStore('files')
      },
      terminated: lost,
    }).catch((error: unknown) => {
      throw storageError(error)
    })
    return new Store(database)
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    return this.told(this.database.get(tableOf(name), name))
  }

  /** Everything but files, or what begins with a prefix, in the order of names. */
  async all(prefix = ''): Promise<[name: string, value: Uint8Array][]> {
    const range = prefix === '' ? null : IDBKeyRange.bound(prefix, `${prefix}\uffff`)
    const reading = this.database.transaction('values')
    const [names, values] = await this.told(
      Promise.all([reading.store.getAllKeys(range), reading.store.getAll(range)]),
    )
    return names.map((name, at) => [name, values[at] as Uint8Array])
  }

  async names(): Promise<string[]> {
    return this.told(this.database.getAllKeys('values'))
  }

  /** Writes in order, all or none; on the disk, and not only on its way there, when it resolves. */
  async put(stored: readonly Stored[]): Promise<void> {
    if (stored.length === 0) return
    const writing = this.writing([...new Set(stored.map(([name]) => tableOf(name)))])
    for (const [name, value] of stored) {
      const table = writing.objectStore(tableOf(name))
      // A request's own failure makes the whole transaction fail, which is what is waited for.
      const request = value === null ? table.delete(name) : table.put(value, name)
      request.catch(() => undefined)
    }
    await this.told(writing.done)
  }

  async plain(name: string): Promise<unknown> {
    return this.told(this.database.get('plain', name))
  }

  async putPlain(name: string, value: unknown): Promise<void> {
    const writing = this.writing(['plain'])
    writing.objectStore('plain').put(value, name).catch(() => undefined)
    await this.told(writing.done)
  }

  async clear(): Promise<void> {
    const writing = this.writing(['values', 'files', 'plain'])
    for (const name of ['values', 'files', 'plain'] as const) writing.objectStore(name).clear().catch(() => undefined)
    await this.told(writing.done)
  }

  close(): void {
    this.database.close()
  }

  private writing<Name extends Table | 'plain'>(names: Name[]) {
    try {
      return this.database.transaction(names, 'readwrite', { durability: 'strict' })
    } catch (error) {
      throw storageError(error)
    }
  }

  private async told<T>(outcome: Promise<T>): Promise<T> {
    try {
      return await outcome
    } catch (error) {
      throw storageError(error)
    }
  }
}

function storageError(error: unknown): CoreError {
  const name = error instanceof Error ? error.name : ''
  const code = name === 'QuotaExceededError' ? 'storage_full' : 'storage_failed'
  return new CoreError({ code, detail: String(error) })
}
