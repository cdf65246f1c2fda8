// What a phone goes through: no signal for days, no battery, no space, no right clock, and people who mean ill or well.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { PIN } from './phone.mjs'
import { enrolled, isQuiet, shared, useDeployment } from './start.mjs'

/** The script that has the core. */
const WORKER = /\/assets\/worker-.*\.js$/
const YEAR_MILLIS = 365 * 24 * 60 * 60 * 1000

useDeployment()

test('two days without a signal, with the app closed in between, arrive whole', async () => {
  const phone = await enrolled('ma')
  await phone.installed()
  await phone.context.setOffline(true)
  for (const day of [1, 2]) {
    for (const house of [1, 2, 3]) {
      await phone.registerHousehold(`离线户${day}${house}`, `${house}组`)
      await phone.button('记走访').tap()
      await phone.button('入户').tap()
      await phone.page.getByLabel('要点').fill(`第${day}天到过第${house}户`)
      await phone.button('存档').tap()
      await phone.button('存档').waitFor({ state: 'detached' })
    }
    await phone.die()
    await phone.open()
    await phone.unlock()
    await phone.page.getByRole('navigation').waitFor()
  }
  await phone.context.setOffline(false)
  await phone.allReceived()

  const teammate = await enrolled('li')
  await teammate.tab('农户')
  for (const name of ['离线户11', '离线户23']) await teammate.page.locator('button.line', { hasText: name }).waitFor()
  await teammate.openHousehold('离线户23')
  await teammate.page.locator('a.row', { hasText: '入户' }).tap()
  await teammate.page.getByText('第2天到过第3户').first().waitFor()
  isQuiet(phone)
  isQuiet(teammate)
})

test('a full phone says so, keeps what was typed on the screen, and saves it once there is room', async () => {
  // The browser's own limit cannot be set for one of its windows: what it does beyond it is done here, at its own door.
  const full = `{
    let isFull = false
    new BroadcastChannel('space').onmessage = ({ data }) => (isFull = data)
    const put = IDBObjectStore.prototype.put
    IDBObjectStore.prototype.put = function (...given) {
      const request = put.apply(this, given)
      if (isFull) {
        Object.defineProperty(this.transaction, 'error', { value: new DOMException('full', 'QuotaExceededError') })
        this.transaction.abort()
      }
      return request
    }
  };`
  shared.deployment.alter(WORKER, (script) => full + script)
  try {
    const phone = await enrolled('ma')
    const space = (isFull) => phone.page.evaluate((full) => new BroadcastChannel('space').postMessage(full), isFull)
    await phone.registerHousehold('存满户', '一组')
    await phone.allReceived()
    await phone.line('村民组').tap()
    const sheet = phone.page.locator('.sheet')
    await space(true)
    await sheet.locator('input').first().fill('九组')
    await phone.button('保存', sheet).tap()
    await phone.page.getByText(/手机存储已满/).first().waitFor()
    assert.equal(await sheet.locator('input').first().inputValue(), '九组')

    await space(false)
    await phone.button('保存', sheet).tap()
    await sheet.waitFor({ state: 'hidden' })
    await phone.line('村民组').getByText('九组').waitFor()
    await phone.allReceived()
  } finally {
    shared.deployment.alter(WORKER, (script) => script)
  }
})

test('an answer that breaks off in the middle costs nothing but time', async () => {
  const phone = await enrolled('ma')
  await phone.allReceived()
  await phone.context.setOffline(true)
  await phone.registerHousehold('断线户', '二组')
  const broken = shared.deployment.cutNext(/^\/v1\/sync/)
  await phone.context.setOffline(false)
  await broken
  await phone.syncByHand()
  await phone.allReceived()

  const teammate = await enrolled('li')
  await teammate.tab('农户')
  await teammate.page.locator('button.line', { hasText: '断线户' }).first().waitFor()
  assert.equal(await teammate.page.locator('button.line', { hasText: '断线户' }).count(), 1)
})

test('a clock that is a year behind loses nothing and refuses nothing', async () => {
  const behind = `{ const now = Date.now.bind(Date); Date.now = () => now() - ${YEAR_MILLIS} };`
  shared.deployment.alter(WORKER, (script) => behind + script)
  try {
    const phone = await enrolled('ma')
    await phone.registerHousehold('旧钟户', '三组')
    await phone.allReceived()
    const teammate = await enrolled('li')
    await teammate.openHousehold('旧钟户')
    isQuiet(phone)
  } finally {
    shared.deployment.alter(WORKER, (script) => script)
  }
})

test('a new version waits while a form is open, and takes over without losing a word', async () => {
  const phone = await enrolled('ma')
  await phone.registerHousehold('升级户', '四组')
  await phone.installed()
  await phone.button('记走访').tap()
  await phone.page.getByLabel('要点').fill('刚写到一半')
  shared.deployment.alter(/^\/sw\.js$/, (script) => `${script}\n// another version`)
  await phone.page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).update())
  await phone.page.waitForFunction(async () => (await navigator.serviceWorker.getRegistration()).waiting !== null)
  assert.equal(await phone.page.getByLabel('要点').inputValue(), '刚写到一半')

  await phone.tab('今日')
  await phone.button('现在更新').tap()
  await phone.page.getByText('请输入 PIN').waitFor()
  await phone.unlock()
  await phone.button('继续').tap()
  assert.equal(await phone.page.getByLabel('要点').inputValue(), '刚写到一半')
  isQuiet(phone)
})

test('a phone that was revoked meanwhile keeps its work, says why, and offers it again once enrolled anew', async () => {
  const phone = await enrolled('li')
  await phone.allReceived()
  await phone.installed()
  await phone.context.setOffline(true)
  await phone.registerHousehold('吊销户', '五组')
  shared.deployment.revoke('li')
  await phone.context.setOffline(false)
  await phone.at('/')
  await phone.page.getByText('本机需要重新登记').first().waitFor()
  await phone.page.getByText('本机已停用').waitFor()
  await phone.openHousehold('吊销户')

  await phone.at('/enrol')
  await phone.page.getByLabel('登记码').fill(shared.deployment.code('li'))
  for (const pin of await phone.page.locator('input[type=password]').all()) await pin.fill(PIN)
  await phone.button('登记').tap()
  await phone.at('/')
  await phone.allReceived()
  const leader = await enrolled('ma')
  await leader.openHousehold('吊销户')
})

test('what two write into one text unseen by each other stands there whole', async () => {
  const [ma, li] = [await enrolled('ma'), await enrolled('li')]
  await ma.registerHousehold('长文户', '六组')
  await ma.write('备注', '老人独居。')
  await ma.allReceived()
  await li.syncByHand()
  await ma.context.setOffline(true)
  await ma.openHousehold('长文户')
  await ma.write('备注', '老人独居。儿子在银川。')
  await li.openHousehold('长文户')
  await li.write('备注', '村东头。老人独居。')
  await li.allReceived()
  await ma.context.setOffline(false)
  await ma.allReceived()
  await ma.openHousehold('长文户')
  await ma.page.getByText('村东头。老人独居。儿子在银川。').first().waitFor()
  isQuiet(ma)
  isQuiet(li)
})

test('a form that was open while a teammate wrote the same field keeps both values', async () => {
  const [ma, li] = [await enrolled('ma'), await enrolled('li')]
  await ma.registerHousehold('久开户', '七组')
  await ma.allReceived()
  await li.syncByHand()
  await li.openHousehold('久开户')
  await ma.line('村民组').tap()
  const sheet = ma.page.locator('.sheet')
  await sheet.locator('input').first().fill('八组')
  await li.write('村民组', '九组')
  await li.allReceived()
  // What the teammate wrote arrives under the open form.
  await ma.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  await sheet.getByText(/刚刚有人改了这一项/).waitFor()
  assert.equal(await sheet.locator('input').first().inputValue(), '八组')
  await ma.button('保存', sheet).tap()
  const conflict = ma.page.locator('.line.conflict')
  await conflict.waitFor()
  assert.match(await conflict.innerText(), /九组/)
  assert.match(await conflict.innerText(), /八组/)
})

test('after ten wrong PINs nothing opens, and what was saved is still delivered', async () => {
  const phone = await enrolled('ma')
  await phone.installed()
  await phone.allReceived()
  await phone.context.setOffline(true)
  await phone.registerHousehold('封存户', '八组')
  // Nothing was ever sent; what is saved is sealed when it locks.
  await phone.at('/me')
  await phone.button('现在锁定').tap()
  await phone.button('解锁').waitFor()
  for (let tries = 9; tries > 0; tries -= 1) {
    await phone.unlock('999999')
    await phone.page.getByText(`还可以试 ${tries} 次`).waitFor()
  }
  await phone.unlock('999999')
  await phone.page.getByText('本机数据已无法打开').waitFor()
  await phone.context.setOffline(false)
  const [parcel] = await Promise.all([
    phone.page.waitForEvent('download'),
    phone.button('存成文件，交同事代送').tap(),
  ])

  const teammate = await enrolled('li')
  await teammate.at('/outbox')
  const [chooser] = await Promise.all([
    teammate.page.waitForEvent('filechooser'),
    teammate.page.locator('button', { hasText: '代同事送：打开文件' }).tap(),
  ])
  await chooser.setFiles(await parcel.path())
  await teammate.page.getByText(/下次同步时/).first().waitFor()
  await teammate.syncByHand()
  await teammate.openHousehold('封存户')
})

test('storage that was cleared behind its back is noticed, and what the server has comes back', async () => {
  const phone = await enrolled('ma')
  await phone.registerHousehold('清空户', '九组')
  await phone.allReceived()
  await phone.context.setOffline(true)
  await phone.write('村民组', '十组')
  await phone.page.locator('.mark', { hasText: '待发 1' }).waitFor()
  await phone.installed()
  await phone.die()
  await phone.open()
  await phone.page.evaluate(async () => {
    for (const { name } of await indexedDB.databases()) indexedDB.deleteDatabase(name)
  })
  await phone.page.reload()
  await phone.page.getByText('手机清掉了本应用的数据').waitFor()
  await phone.page.getByText(/有 1 条还没有发出/).waitFor()
  await phone.context.setOffline(false)
  await phone.button('重新登记').tap()
  await phone.enrol(shared.deployment.code('ma'))
  await phone.openHousehold('清空户')
})
