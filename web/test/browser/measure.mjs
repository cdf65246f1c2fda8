// Measures the app as a phone would feel it, and ends with one line of JSON. What is to be reached stands beside each figure.
//
//   cargo xtask bench app
//
// A slow phone is this browser with all its processes stopped most of the time, so long that a page takes four times as long: that
// slows the worker too, which the browser's own throttling does not. A slow line is 400 kbit/s each way and 400 ms there and back.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { chromium } from 'playwright-core'

import { Deployment } from './deployment.mjs'
import { Phone, PIN } from './phone.mjs'

const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium'
const FIELD = process.env.FIELD_BINARY ?? join(import.meta.dirname, '../../../target/release/zhucun-field')
const LIGHTHOUSE = 'lighthouse@12'
const SLOWER = 4
/** How near to that is near enough; how often it is tried to come nearer; how often the same work is done to find out. */
const SLOWER_NEAR = 0.1
const SLOWER_TRIES = 8
const BUSY_RUNS = 7
/** Short, for a slow processor never stands still for as long as a screen takes to be drawn. */
const SLICE_MILLIS = 20
/** One that is disturbed says nothing. */
const COLD_STARTS = 3
/** Nine thousand records at once take longer than anything that is measured. */
const RECEIVING_MILLIS = 300_000
/** Nothing that is measured may take longer. */
const PATIENCE_MILLIS = 60_000
const SLOW_LINE = { bytesPerSecond: 50_000, roundTripMillis: 400 }
const VISITS = 20
const EDITS = 10
const SURNAMES = [...'马王张李杨丁吴海罗冶安田苏虎单摆']
const GIVEN = [...'国建秀英文学福贵红梅志强玉兰成义晓燕海龙正芳占林']

/** The processes of a program, itself first. */
function family(pid) {
  const parents = new Map()
  for (const name of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, parent] = readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
      parents.set(Number(name), Number(parent))
    } catch {
      // It ended meanwhile.
    }
  }
  const all = [pid]
  for (const one of all) all.push(...[...parents].filter(([, parent]) => parent === one).map(([child]) => child))
  return all
}

/** How long all processes stand still in each slice: found by measuring, for a timer wakes late by what the machine makes it. */
let stoppedMillis = SLICE_MILLIS * (1 - 1 / SLOWER)

/** Lets a program run only a part of the time, until the returned function is called. */
function slow(pid) {
  const everyone = family(pid)
  const tell = (signal) => {
    for (const one of everyone) {
      try {
        process.kill(one, signal)
      } catch {
        // It ended meanwhile.
      }
    }
  }
  const stop = () => tell('SIGSTOP')
  const go = () => tell('SIGCONT')
  // Timers know whole milliseconds: what is left over is stopped in a later slice.
  let owed = 0
  const timer = setInterval(() => {
    stop()
    owed += stoppedMillis
    const millis = Math.floor(owed)
    owed -= millis
    setTimeout(go, millis)
  }, SLICE_MILLIS)
  return () => {
    clearInterval(timer)
    go()
    setTimeout(go, SLICE_MILLIS)
  }
}

/** How long it takes from the next touch or key until `shown` is on the screen, by the page's own clock. */
async function felt(page, event, shown, act) {
  await page.evaluate(
    ([event, shown, patience]) => {
      window.felt = new Promise((resolve, reject) => {
        document.addEventListener(
          event,
          () => {
            const begun = performance.now()
            const look = () => {
              const there = document.evaluate(shown, document, null, XPathResult.BOOLEAN_TYPE).booleanValue
              const felt = performance.now() - begun
              if (there) resolve(felt)
              else if (felt < patience) requestAnimationFrame(look)
              else reject(new Error(`instead of ${shown}: ${document.body.innerText}`))
            }
            // What was there before is there until the next frame.
            requestAnimationFrame(look)
          },
          { once: true, capture: true },
        )
      })
    },
    [event, shown, PATIENCE_MILLIS],
  )
  await act()
  return page.evaluate(() => window.felt)
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
const say = (text) => console.error(text)

/** How many times slower a page is while its processes are slowed than before. */
async function slowed(page) {
  const busy = () =>
    page.evaluate(() => {
      const begun = performance.now()
      let sum = 0
      for (let at = 0; at < 100_000_000; at += 1) sum = (sum + at) % 1_000_003
      return performance.now() - begun + 0 * sum
    })
  const usually = async () => {
    const runs = []
    for (let run = 0; run < BUSY_RUNS; run += 1) runs.push(await busy())
    return median(runs)
  }
  const fast = await usually()
  const go = slow(server.process().pid)
  const slowly = await usually()
  go()
  return slowly / fast
}

/** Finds how long to stop, so that a page is as much slower as a slow phone is; how many times that is then. */
async function calibrate(page) {
  for (let tried = 1; ; tried += 1) {
    const times = await slowed(page)
    if (Math.abs(times - SLOWER) < SLOWER_NEAR || tried === SLOWER_TRIES) return times
    // Half of the way: a machine that does something else meanwhile makes each try a little wrong.
    const wanted = SLICE_MILLIS - (SLICE_MILLIS - stoppedMillis) * (times / SLOWER)
    stoppedMillis = (stoppedMillis + wanted) / 2
  }
}

/** What Lighthouse says of a server's own address, from 0 to 100; it is fetched for this, for nothing else needs it. */
function lighthouse(address) {
  const folder = mkdtempSync(join(tmpdir(), 'zhucun-lighthouse-'))
  const report = join(folder, 'report.json')
  const words = ['--only-categories=accessibility,best-practices', '--output=json', `--output-path=${report}`, '--quiet']
  const flags = '--chrome-flags=--headless=new --no-sandbox --disable-gpu'
  try {
    const env = { ...process.env, CHROME_PATH: BROWSER }
    execFileSync('npx', ['--yes', LIGHTHOUSE, address, ...words, flags], { env, cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
    const { categories } = JSON.parse(readFileSync(report, 'utf8'))
    const of = (name) => Math.round(100 * categories[name].score)
    return { accessibility: of('accessibility'), practices: of('best-practices') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The form of a visit is closed, and nothing speaks of it any more. */
async function isDone(phone) {
  await phone.page.waitForFunction(() => !location.hash.includes('/visit'))
  await phone.page.getByText('走访已存在本机').waitFor({ state: 'detached' })
}

/** What keeps the browser from offering to install the app, but for its being one that forgets everything. */
async function installErrors(phone) {
  const session = await phone.context.newCDPSession(phone.page)
  const { installabilityErrors } = await session.send('Page.getInstallabilityErrors')
  return installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito')
}

/** A field device of somebody, which writes many records at once. */
class Writer {
  #home = mkdtempSync(join(tmpdir(), 'zhucun-writer-'))

  constructor(deployment, user) {
    writeFileSync(join(this.#home, 'pin'), PIN)
    this.#run('enrol', deployment.code(user), '--server', deployment.direct)
  }

  #run(...words) {
    const home = join(this.#home, 'phone')
    const env = { ...process.env, ZHUCUN_PIN_FILE: join(this.#home, 'pin') }
    return execFileSync(FIELD, ['--home', home, ...words], { env, encoding: 'utf8' })
  }

  households(from, to) {
    const pick = (of, by, at) => of[Math.floor(at / by) % of.length]
    const lines = []
    for (let at = from; at < to; at += 1) {
      const name = pick(SURNAMES, 1, at) + pick(GIVEN, 16, at) + pick(GIVEN, 384, at)
      lines.push(`new household --set householder=${name} --set group=${(at % 12) + 1}组`)
    }
    const home = join(this.#home, 'phone')
    const env = { ...process.env, ZHUCUN_PIN_FILE: join(this.#home, 'pin') }
    const input = `${lines.join('\n')}\nsync\n`
    const { status, stderr } = spawnSync(FIELD, ['--home', home, 'shell'], { env, input, maxBuffer: 1 << 28 })
    if (status !== 0) throw new Error(String(stderr))
  }

  end() {
    rmSync(this.#home, { recursive: true })
  }
}

const goals = {
  first_load_bytes: 900 * 1024,
  install_errors: 0,
  cold_start_ms_1k: 2000,
  cold_start_ms_10k: 3000,
  save_visit_ms: 100,
  search_ms_10k: 50,
  sync_day_ms: 3000,
  sync_day_requests: 1,
  memory_mb_10k: 150,
}
const floors = { lighthouse_accessibility: 95, lighthouse_best_practices: 95 }

/** What was measured, also if it did not come to its end. */
function report() {
  for (const [name, value] of Object.entries(figures)) {
    const [goal, floor] = [goals[name], floors[name]]
    const isReached = goal === undefined ? value >= floor : value <= goal
    const said = goal === undefined ? `≥ ${floor}` : `≤ ${goal}`
    const verdict = (goal ?? floor) === undefined ? '' : `${said}  ${isReached ? 'reached' : 'MISSED'}`
    say(`${name.padEnd(28)}${String(value).padStart(10)}  ${verdict}`)
  }
  console.log(JSON.stringify(figures))
}

const figures = {}
const deployment = await Deployment.start()
const server = await chromium.launchServer({
  executablePath: BROWSER,
  args: ['--js-flags=--expose-gc', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
})
const browser = await chromium.connect(server.wsEndpoint())
const writer = new Writer(deployment, 'li')
let records = 0

async function grow(to) {
  say(`${to} records`)
  // A day's quota, and a batch, have their limits.
  for (; records < to; records += 1000) writer.households(records, Math.min(to, records + 1000))
}

/** From the tap on the icon to a Today that can be used, without the seconds in which a PIN is typed: the middle one of some. */
async function coldStart(phone) {
  const starts = []
  for (let start = 0; start < COLD_STARTS; start += 1) starts.push(await coldStartOnce(phone))
  return starts.toSorted((a, b) => a.total - b.total)[Math.floor(COLD_STARTS / 2)]
}

async function coldStartOnce(phone) {
  await phone.die()
  await phone.context.setOffline(true)
  const go = slow(server.process().pid)
  await phone.open()
  await phone.button('解锁').waitFor()
  const opened = await phone.page.evaluate(() => performance.now())
  for (const digit of PIN) await phone.button(digit).tap()
  const unlocked = await felt(phone.page, 'click', "boolean(//button[contains(., '记一次走访')])", () =>
    phone.button('解锁').tap(),
  )
  go()
  return { opened: Math.round(opened), unlocked: Math.round(unlocked), total: Math.round(opened + unlocked) }
}

try {
  const before = deployment.carried
  const phone = await Phone.take(browser, deployment.address)
  await phone.installed()
  figures.first_load_bytes = deployment.carried - before
  figures.install_errors = (await installErrors(phone)).length
  const { accessibility, practices } = lighthouse(deployment.direct)
  figures.lighthouse_accessibility = accessibility
  figures.lighthouse_best_practices = practices
  figures.slow_phone_times = Math.round(100 * (await calibrate(phone.page))) / 100
  await grow(1000)
  await phone.enrol(deployment.code('ma'))
  await phone.allReceived()
  const small = await coldStart(phone)
  figures.cold_start_ms_1k = small.total
  figures.cold_start_parts_1k = [small.opened, small.unlocked]
  await phone.context.setOffline(false)

  await grow(10_000)
  // Left alone for so long, it has locked itself.
  await phone.die()
  await phone.open()
  await phone.unlock()
  await phone.syncByHand(RECEIVING_MILLIS)
  const large = await coldStart(phone)
  figures.cold_start_ms_10k = large.total
  figures.cold_start_parts_10k = [large.opened, large.unlocked]

  say('search and saving, on a slow phone')
  await phone.tab('农户')
  const field = phone.page.locator('input[type=search]')
  await field.waitFor()
  const go = slow(server.process().pid)
  const searches = []
  for (const text of ['zgj', '国', 'maguo', 'wx', '马', 'lixiu', '秀英', 'tg', '苏', 'shan', '红']) {
    await field.fill('')
    await phone.page.waitForTimeout(500)
    searches.push(await felt(phone.page, 'input', "boolean(//*[@aria-busy='false'])", () => field.fill(text)))
  }
  figures.search_ms_10k = Math.round(median(searches))
  // The day is one without a signal.
  await phone.context.setOffline(true)
  const saves = []
  for (let visit = 0; visit < 5; visit += 1) {
    await phone.at('/visit')
    await phone.page.getByText('走访哪一户').waitFor()
    await phone.page.locator('button.line').first().tap()
    await phone.button('入户').tap()
    await phone.page.getByLabel('要点').fill(`第${visit}户，水窖见底，拉水困难。`)
    saves.push(await felt(phone.page, 'click', "boolean(//*[contains(., '走访已存在本机')])", () => phone.button('存档').tap()))
    await isDone(phone)
  }
  go()
  figures.save_visit_ms = Math.round(median(saves))
  // The machine may have changed its mind since.
  figures.slow_phone_times_later = Math.round(100 * (await slowed(phone.page))) / 100

  say("a village's day over a slow line")
  for (let visit = saves.length; visit < VISITS; visit += 1) {
    await phone.at('/visit')
    await phone.page.getByText('走访哪一户').waitFor()
    // Whoever was visited goes to the end of the list.
    await phone.page.locator('button.line').first().tap()
    await phone.button('入户').tap()
    await phone.page.getByLabel('要点').fill(`第${visit}户，儿子在银川务工，羊存栏${visit}只。`)
    await phone.button('存档').tap()
    await isDone(phone)
  }
  for (let edit = 0; edit < EDITS; edit += 1) {
    await phone.tab('农户')
    await phone.page.locator('button.line').nth(edit).tap()
    await phone.write('村民组', `${edit + 20}组`)
  }
  await phone.at('/outbox')
  await phone.button('现在同步').waitFor()
  await phone.page.evaluate(() => {
    window.longest = 0
    let last = performance.now()
    const frame = (now) => {
      window.longest = Math.max(window.longest, now - last)
      last = now
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
  deployment.slow = SLOW_LINE
  const asked = deployment.asked
  figures.sync_day_ms = Math.round(
    await felt(phone.page, 'click', "boolean(//*[contains(., '同步完成')])", async () => {
      await phone.context.setOffline(false)
      await phone.button('现在同步').tap()
    }),
  )
  figures.sync_day_requests = deployment.asked - asked
  figures.sync_day_longest_frame_ms = Math.round(await phone.page.evaluate(() => window.longest))
  deployment.slow = null

  // What is no longer used is not what it needs: the browser gives it back when somebody else needs it.
  for (const place of [phone.page, ...phone.page.workers()]) await place.evaluate(() => globalThis.gc())
  const renderers = family(server.process().pid).map((pid) => {
    try {
      const isRenderer = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=renderer')
      const anon = /RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      return isRenderer ? Number(anon) : 0
    } catch {
      return 0
    }
  })
  figures.memory_mb_10k = Math.round(Math.max(...renderers) / 1024)
} finally {
  writer.end()
  await browser.close()
  await server.close()
  await deployment.stop()
  report()
}
