// What every file of browser tests begins with: one server, one browser, phones that enrol.

import assert from 'node:assert/strict'
import { after, before } from 'node:test'

import { chromium } from 'playwright-core'

import { Deployment } from './deployment.mjs'
import { Phone } from './phone.mjs'

const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** What the tests of a file share, once they run. */
export const shared = { deployment: null, browser: null }

export function useDeployment(kinds) {
  before(async () => {
    shared.deployment = await Deployment.start(kinds)
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

/** The browser had nothing to complain of, and nobody else was asked for anything. */
export function isQuiet(phone) {
  assert.deepEqual(phone.complaints, [])
  assert.deepEqual(phone.strangers, [])
}
