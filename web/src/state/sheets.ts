/** The sheets that are open, the topmost last: what the phone's back key closes before it leaves the screen. */
const open: (() => void)[] = []

/** A sheet opened; closes when the returned function is called. */
export function sheetOpened(close: () => void): () => void {
  open.push(close)
  return () => {
    const at = open.indexOf(close)
    if (at >= 0) open.splice(at, 1)
  }
}

/** Closes the topmost sheet; false if none is open. */
export function closeTopmost(): boolean {
  const close = open.at(-1)
  close?.()
  return close !== undefined
}
