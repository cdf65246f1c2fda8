import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { en } from '../src/i18n/en'
import { zh } from '../src/i18n/zh'

const ROOT = join(import.meta.dirname, '..')

/** Every message by its key. */
function flat(messages: object, prefix = ''): Map<string, string> {
  const found = new Map<string, string>()
  for (const [key, value] of Object.entries(messages)) {
    if (typeof value === 'string') found.set(prefix + key, value)
    else for (const [inner, text] of flat(value as object, `${prefix}${key}.`)) found.set(inner, text)
  }
  return found
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(vue|ts)$/.test(name) && !/i18n\/(zh|en)\.ts$/.test(name))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
}

/** The codes of a table of docs/codes.md. */
function codesOf(section: string): string[] {
  const whole = readFileSync(join(ROOT, '../docs/codes.md'), 'utf8')
  const body = whole.split(`${section}\n`)[1]?.split(/\n#{2,3} /)[0] ?? ''
  return [...body.matchAll(/^\| `(\w+)` \|/gm)].map((found) => found[1] ?? '')
}

const chinese = flat(zh)
const english = flat(en)

describe('messages', () => {
  it('are all said somewhere: no phone fetches words that nobody reads', () => {
    const whole = sources(join(ROOT, 'src')).join('\n')
    const begun = [...whole.matchAll(/`([a-zA-Z]+\.[a-zA-Z.]*)\$\{/g)].map((found) => found[1] ?? '')
    const isSaid = (key: string): boolean => whole.includes(`'${key}'`) || begun.some((beginning) => key.startsWith(beginning))
    expect([...chinese.keys()].filter((key) => !isSaid(key))).toEqual([])
  })

  it('have the same keys in both languages', () => {
    expect([...english.keys()].sort()).toEqual([...chinese.keys()].sort())
  })

  it('have the same gaps in both languages', () => {
    const gaps = (text = '') => [...new Set(text.match(/\{\w+\}/g))].sort()
    for (const [key, text] of chinese) expect(gaps(english.get(key)), key).toEqual(gaps(text))
  })

  it('are Chinese in Chinese, and none is blank', () => {
    const latin = /^(PIN|\{|Apache)/
    for (const [key, text] of chinese) {
      if (key.endsWith('.remedy')) continue
      expect(text, key).not.toBe('')
      if (!latin.test(text)) expect(text, key).toMatch(/[\u4e00-\u9fff]|[、（）]/)
    }
    for (const [key, text] of english) {
      if (!key.endsWith('.remedy')) expect(text, key).not.toBe('')
      expect(text, key).not.toMatch(/[\u4e00-\u9fff]/)
    }
  })

  it('are there for every key that a screen names', () => {
    for (const source of sources(join(ROOT, 'src'))) {
      for (const [, key] of source.matchAll(/\bt\(\s*'([\w.]+)'/g)) expect(chinese.has(key ?? ''), key).toBe(true)
    }
  })

  it('say of every code what it means', () => {
    const expected = {
      flag: codesOf('### `flag`'),
      noEffect: codesOf('### `no_effect`'),
      refused: [...codesOf('### `refused`'), ...codesOf('### `misfit`')],
      problem: codesOf('## Problems'),
    }
    for (const [group, codes] of Object.entries(expected)) {
      expect(codes.length, group).toBeGreaterThan(2)
      for (const code of codes) expect(chinese.has(`codes.${group}.${code}.is`), `${group}.${code}`).toBe(true)
    }
  })

  it('say of every error of the core what to do', () => {
    const api = readFileSync(join(ROOT, 'src/core/api.ts'), 'utf8')
    const declared = api.split('export type CoreErrorCode =')[1]?.split('\n\n')[0] ?? ''
    const codes = [...declared.matchAll(/\| '(\w+)'/g)].map((found) => found[1] ?? '')
    expect(codes.length).toBeGreaterThan(20)
    for (const code of codes) expect(chinese.has(`error.${code}`), code).toBe(true)
  })
})
