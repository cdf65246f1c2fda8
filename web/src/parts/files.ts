/** Hands bytes to their person as a file: to be shared where the phone can, else saved. False if he thought better of it. */
export async function handOver(bytes: Uint8Array, name: string): Promise<boolean> {
  const file = new File([bytes as Uint8Array<ArrayBuffer>], name, { type: 'application/octet-stream' })
  if (navigator.canShare?.({ files: [file] }) && window.matchMedia('(pointer: coarse)').matches) {
    try {
      await navigator.share({ files: [file] })
      return true
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') return false
      // Some phones share pictures alone: save it then.
    }
  }
  const address = URL.createObjectURL(file)
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
  return true
}
