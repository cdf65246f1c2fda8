import type { Asked } from './values'

/** What a field of files takes in. */
export interface Takes {
  readonly photos: boolean
  readonly voice: boolean
}

const VOICE = /voice|audio|sound|speech/
const PHOTOS = /photo|picture|image|snapshot/

/** By the field's name, for types of fields say no more than that it holds files; a name that says nothing takes in both. */
export function takes(asked: Pick<Asked, 'name'>): Takes {
  const [voice, photos] = [VOICE.test(asked.name), PHOTOS.test(asked.name)]
  return { photos: photos || !voice, voice: voice || !photos }
}
