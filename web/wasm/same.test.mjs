// The same random days add up to the same in WebAssembly as natively: heads of chains, and all that the screens show.
//
// `cargo xtask test` puts both in place: PLAY is a folder with the module, PLAY_NATIVE the program that plays natively.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const { PLAY: folder, PLAY_NATIVE: program, PLAY_SEED: seed, PLAY_COMMANDS: commands } = process.env

test(`${commands} random commands from seed ${seed} add up to the same in WebAssembly as natively`, async () => {
  const { initSync, play } = await import(pathToFileURL(path.join(folder, 'web_wasm.js')).href)
  initSync({ module: await readFile(path.join(folder, 'web_wasm_bg.wasm')) })
  // It runs on another processor while the module keeps this one busy.
  const running = promisify(execFile)(program, [seed, commands], { maxBuffer: 2 ** 30 })
  const here = play(Number(seed), Number(commands))
  const { stdout: native } = await running
  const said = [...here.matchAll(/^said (\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
  assert.equal(said, Number(commands), 'the days were as long as they should be')
  assert.deepEqual(here.split('\n'), native.split('\n'))
})
