/** Whether a message says itself: no value to be filled in, no forms to choose from, no other message. */
export function isPlain(message: string): boolean {
  return !/[{}|@]/.test(message)
}
