import { readonly, ref } from 'vue'

const up = ref(navigator.onLine)
window.addEventListener('online', () => (up.value = true))
window.addEventListener('offline', () => (up.value = false))

/** Whether the phone believes that it has a network. Nothing is decided by it but a small mark and when to try. */
export const online = readonly(up)

/** What browsers that know of it say of the kind of connection. */
interface Connection extends EventTarget {
  readonly type?: string
}

function connection(): Connection | undefined {
  return (navigator as { connection?: Connection }).connection
}

/** Whether the network is known to be a mobile one, which costs money. */
export function isMetered(): boolean {
  return connection()?.type === 'cellular'
}

/** Calls back whenever the phone changes from one kind of network to another, in browsers that say so. */
export function whenConnectionChanges(then: () => void): void {
  connection()?.addEventListener('change', then)
}
