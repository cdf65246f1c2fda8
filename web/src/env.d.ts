/// <reference types="vite/client" />

declare const __APP_VERSION__: string

declare module 'virtual:pinyin' {
  export const first: number
  export const base: number
  export const sets: string
  export const places: string
}
