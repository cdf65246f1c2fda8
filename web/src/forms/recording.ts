import { onBeforeUnmount, readonly, ref, type Ref } from 'vue'

import { resetIdle } from '../state/lock'

/** What browsers record, the smallest first: Chromium and Firefox, then Safari. */
const TYPES = ['audio/webm;codecs=opus', 'audio/mp4;codecs=mp4a.40.2', 'audio/mp4', 'audio/webm'] as const
/** Speech needs no more: ten minutes are some two megabytes. */
const BITS_PER_SECOND = 24_000
/** A memo, no meeting. */
export const SECONDS_MAX = 600
const TICK_MILLIS = 250

/** A recording as it is kept and sent. */
export interface Recorded {
  readonly bytes: Uint8Array
  readonly type: string
}

export interface Recording {
  readonly is: Readonly<Ref<'idle' | 'asking' | 'running' | 'denied'>>
  readonly seconds: Readonly<Ref<number>>
  start(): Promise<void>
  /** Ends it; resolves when what was recorded has been given. */
  stop(): Promise<void>
}

/** Whether this browser records at all. */
export function mayRecord(): boolean {
  return typeof MediaRecorder !== 'undefined' && Boolean(navigator.mediaDevices?.getUserMedia)
}

/** The media type alone, as a server says it. */
export function bareType(type: string): string {
  return type.split(';')[0]?.trim() ?? ''
}

/** Records by the microphone, from a touch to a touch. */
export function useRecording(give: (recorded: Recorded) => Promise<void>): Recording {
  const is = ref<'idle' | 'asking' | 'running' | 'denied'>('idle')
  const seconds = ref(0)
  let recorder: MediaRecorder | null = null
  let ended: Promise<void> = Promise.resolve()
  let timer: ReturnType<typeof setInterval> | undefined
  let gone = false

  async function start(): Promise<void> {
    if (is.value === 'asking' || is.value === 'running') return
    is.value = 'asking'
    let stream: MediaStream
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, noiseSuppression: true } })
    } catch {
      is.value = 'denied'
      return
    }
    if (gone) return hush(stream)
    const type = TYPES.find((one) => MediaRecorder.isTypeSupported(one))
    recorder = new MediaRecorder(stream, { ...(type ? { mimeType: type } : {}), audioBitsPerSecond: BITS_PER_SECOND })
    ended = run(recorder, stream)
    is.value = 'running'
  }

  function run(running: MediaRecorder, stream: MediaStream): Promise<void> {
    const pieces: Blob[] = []
    const began = Date.now()
    seconds.value = 0
    timer = setInterval(() => {
      seconds.value = Math.floor((Date.now() - began) / 1_000)
      // Whoever speaks does not touch, and is not locked out for it.
      resetIdle()
      if (seconds.value >= SECONDS_MAX) void stop()
    }, TICK_MILLIS)
    running.ondataavailable = ({ data }) => pieces.push(data)
    const over = new Promise<void>((resolve) => {
      running.onstop = () => resolve()
    })
    running.start()
    return over.then(async () => {
      clearInterval(timer)
      hush(stream)
      recorder = null
      is.value = 'idle'
      const whole = new Blob(pieces)
      if (whole.size > 0 && !gone) {
        await give({ bytes: new Uint8Array(await whole.arrayBuffer()), type: bareType(running.mimeType) })
      }
    })
  }

  async function stop(): Promise<void> {
    if (recorder?.state === 'recording') recorder.stop()
    await ended
  }

  onBeforeUnmount(() => {
    gone = true
    void stop()
  })

  return { is: readonly(is), seconds: readonly(seconds), start, stop }
}

function hush(stream: MediaStream): void {
  stream.getTracks().forEach((track) => track.stop())
}

/** A length of time as recorders show it. */
export function sayLength(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
