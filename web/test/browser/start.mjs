// What every file of browser tests begins with: one server, one browser, phones that enrol.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, before } from 'node:test'

import { chromium } from 'playwright-core'

import { Deployment } from './deployment.mjs'
import { Phone } from './phone.mjs'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** What the tests of a file share, once they run. */
export const shared = { deployment: null, browser: null }

export function useDeployment(kinds, people) {
  before(async () => {
    shared.deployment = await Deployment.start(kinds, people)
    shared.browser = await chromium.launch({
      executablePath: BROWSER,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        // Whoever records voice speaks to nobody here.
        '--use-fake-device-for-media-stream',
        '--use-fake-ui-for-media-stream',
      ],
    })
  })
  after(async () => {
    await shared.browser?.close()
    await shared.deployment?.stop()
  })
}

/** A phone of somebody. */
export async function enrolled(user, options) {
  const phone = await Phone.take(shared.browser, shared.deployment.address, options)
  await phone.enrol(shared.deployment.code(user))
  // Its village and its catalogue come with the first sync.
  await phone.allReceived()
  return phone
}

/** The screen is no wider than the phone, and nothing on it is hard to use or to perceive. */
export async function isReadable(phone, screen) {
  const beyond = await phone.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  assert.ok(beyond <= 0, `${screen} is ${beyond} px too wide`)
  await phone.page.evaluate(AXE)
  const { violations } = await phone.page.evaluate(() => window.axe.run())
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  assert.deepEqual(
    grave.map(({ id, nodes }) => `${screen}: ${id} ${nodes[0].html}`),
    [],
  )
}

/** The browser had nothing to complain of, and nobody else was asked for anything. */
export function isQuiet(phone) {
  assert.deepEqual(phone.complaints, [])
  assert.deepEqual(phone.strangers, [])
}
