// The battery dies at any moment, again and again: what the app called saved is there.
//
// `KILLS` says how often the app is killed (50), `SEED` at which moments.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { enrolled, useDeployment } from './start.mjs'

const KILLS = Number(process.env.KILLS ?? 50)
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
/** A kill comes so soon after the app was opened, at the latest: in the middle of the second save or the third. */
const KILL_MILLIS_MAX = 2_500

useDeployment()

/** Numbers from 0 to 1 by a seed (mulberry32). */
function chance(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

test(`of what was said to be saved nothing is missing after ${KILLS} kills (seed ${SEED})`, async () => {
  const random = chance(SEED)
  const phone = await enrolled('ma')
  await phone.registerHousehold('反复断电户', '0')
  await phone.installed()
  const record = await phone.page.evaluate(() => location.hash)
  await phone.context.setOffline(true)
  // The last value of which the phone said that it is saved, and the last one that was typed.
  let [saved, typed] = [0, 0]
  for (let kill = 0; kill < KILLS; kill += 1) {
    await phone.crash()
    await phone.open(record)
    await phone.unlock()
    const shown = phone.line('村民组')
    await shown.waitFor()
    const value = Number((await shown.innerText()).match(/\d+/)?.[0])
    assert.ok(saved <= value && value <= typed, `kill ${kill}: ${value} is there; saved were ${saved}, typed ${typed}`)
    let over = false
    const end = new Promise((resolve) => setTimeout(resolve, random() * KILL_MILLIS_MAX)).then(() => (over = true))
    const work = async () => {
      while (!over) {
        typed += 1
        const now = typed
        await phone.write('村民组', String(now))
        await phone.page.getByText('已保存在本机').waitFor()
        saved = now
        await phone.page.getByText('已保存在本机').waitFor({ state: 'detached' })
      }
    }
    // It is killed in the middle of whatever it does.
    await Promise.race([end, work().catch((error) => assert.ok(over, error))])
  }
  assert.ok(saved > 0, 'something was saved between the kills')
  await phone.context.setOffline(false)
  await phone.crash()
  await phone.open(record)
  await phone.unlock()
  await phone.allReceived()
})
