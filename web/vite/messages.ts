import { baseCompile } from '@intlify/message-compiler'
import type { Plugin } from 'vite'

import { en } from '../src/i18n/en.ts'
import { isPlain } from '../src/i18n/plain.ts'
import { zh } from '../src/i18n/zh.ts'

/** Messages by their keys; or what they are compiled to. */
interface Tree {
  readonly [key: string]: string | object
}

/** Every message that does not say itself is compiled when the app is built, so that no phone has to fetch and run the compiler. */
export function compiledMessages(): Plugin {
  const messages: Readonly<Record<string, Tree>> = { en, zh }
  return {
    name: 'compiled-messages',
    apply: 'build',
    config: () => ({ define: { __INTLIFY_DROP_MESSAGE_COMPILER__: 'true' } }),
    load(id) {
      const language = /\/src\/i18n\/(en|zh)\.ts$/.exec(id)?.[1]
      return language ? `export const ${language} = ${JSON.stringify(compiled(messages[language] ?? {}))}` : null
    },
  }
}

function compiled(messages: Tree): Tree {
  const compile = (message: string) =>
    isPlain(message) ? message : baseCompile(message, { jit: true, location: false, minify: true, optimize: true }).ast
  const entries = Object.entries(messages).map(([key, value]) => [key, typeof value === 'string' ? compile(value) : compiled(value as Tree)])
  return Object.fromEntries(entries)
}
