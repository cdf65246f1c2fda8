import { FILE_BYTES_MAX } from '../core/files'
import { isPictureAlone, pictureAlone } from './jpeg'

/** Enough to read a bill, little enough for a bad line. */
const SIDE_MAX = 1600
const QUALITY = 0.8
export const PICTURE_TYPE = 'image/jpeg'

/** How large a picture is drawn: whole, in its own proportions. */
export function drawnSize(width: number, height: number): { readonly width: number; readonly height: number } {
  const scale = Math.min(1, SIDE_MAX / Math.max(width, height, 1))
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) }
}

/**
 * A photograph as it is kept and sent: drawn anew, upright and small, so that of the file that the camera wrote nothing is left but
 * what is seen. Null if the browser cannot open it.
 */
export async function picture(file: Blob): Promise<Uint8Array | null> {
  const opened = await createImageBitmap(file, { imageOrientation: 'from-image' }).catch(() => null)
  if (!opened) return null
  try {
    const bytes = pictureAlone(await drawn(opened))
    return bytes && isPictureAlone(bytes) && bytes.length <= FILE_BYTES_MAX ? bytes : null
  } catch {
    return null // more than this phone has memory for
  } finally {
    opened.close()
  }
}

async function drawn(opened: ImageBitmap): Promise<Uint8Array> {
  const { width, height } = drawnSize(opened.width, opened.height)
  const canvas = typeof OffscreenCanvas === 'undefined' ? null : new OffscreenCanvas(width, height)
  const page = canvas ? null : Object.assign(document.createElement('canvas'), { width, height })
  const context = (canvas ?? page)?.getContext('2d') as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null
  if (!context) throw new Error('nothing to draw on')
  // What is clear in a picture of another kind is no black in this one.
  context.fillStyle = '#ffffff'
  context.fillRect(0, 0, width, height)
  context.imageSmoothingQuality = 'high'
  context.drawImage(opened, 0, 0, width, height)
  const blob = canvas
    ? await canvas.convertToBlob({ type: PICTURE_TYPE, quality: QUALITY })
    : await new Promise<Blob | null>((resolve) => page?.toBlob(resolve, PICTURE_TYPE, QUALITY))
  if (!blob) throw new Error('nothing was drawn')
  return new Uint8Array(await blob.arrayBuffer())
}
