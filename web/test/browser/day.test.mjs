// A day in the village, on the browser that the system has, against a real server.
//
//   npm run build && npm run browser

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { FILING } from './deployment.mjs'
import { enrolled, isQuiet, isReadable, useDeployment } from './start.mjs'

/** A visit takes fewer taps than this. */
const TAPS = 12

useDeployment()

test('a visit takes fewer than twelve taps, is saved without a network, and gets its receipt', async () => {
  const phone = await enrolled('ma')
  await phone.registerHousehold('马德福', '一组')
  await phone.tab('今日')
  await phone.installed()
  await phone.context.setOffline(true)

  let taps = 0
  const tap = async (target) => {
    await target.tap()
    taps += 1
  }
  await tap(phone.button('记一次走访'))
  await tap(phone.page.locator('button.line', { hasText: '马德福' }))
  await tap(phone.button('入户'))
  const look = (name) => phone.page.getByRole('group', { name, exact: true })
  for (const name of ['教育', '医疗', '住房']) await tap(phone.button('好', look(name)))
  await tap(phone.button('有问题', look('饮水')))
  await tap(phone.page.getByLabel('要点'))
  await phone.page.getByLabel('要点').fill('水窖见底，拉水困难。')
  await tap(phone.button('饮水', look('诉求')))
  await tap(phone.button('存档'))
  await phone.button('记一次走访').waitFor()
  assert.ok(taps < TAPS, `${taps} taps`)
  await phone.page.locator('.mark', { hasText: '待发' }).waitFor()

  await phone.context.setOffline(false)
  await phone.allReceived()
  await phone.openHousehold('马德福')
  await phone.page.locator('a.row', { hasText: '入户' }).tap()
  await phone.page.locator('button.receipt').first().tap()
  await phone.page.getByText('链值').waitFor()
  isQuiet(phone)
})

test('what is doubtful is said before it is saved, stops nothing, and stands on the page of the household and in the list', async () => {
  const phone = await enrolled('ma')
  await phone.registerHousehold('王桂芳')
  await phone.button('记走访').tap()
  await phone.button('入户').tap()
  const before = phone.page.getByText('有疑点，仍可保存')
  assert.equal(await before.count(), 0)
  await phone.button('有问题', phone.page.getByRole('group', { name: '饮水', exact: true })).tap()
  await before.waitFor()
  await phone.button('存档').tap()
  await phone.openHousehold('王桂芳')
  await phone.page.getByText('最近走访见饮水有问题').waitFor()
  await phone.tab('更多')
  await phone.page.getByRole('link', { name: /^自查/ }).tap()
  await phone.page.getByRole('link', { name: /最近走访见饮水有问题.*王桂芳/ }).tap()
  await phone.button('记走访').waitFor()
  isQuiet(phone)
})

test('what was typed when the battery died is there again', async () => {
  const phone = await enrolled('ma')
  await phone.registerHousehold('李玉兰')
  await phone.button('记走访').tap()
  await phone.button('电话').tap()
  await phone.page.getByLabel('要点').fill('儿子在银川')
  // Durable once the worker has answered for it; nobody presses anything.
  await phone.page.waitForTimeout(300)
  await phone.die()

  await phone.open()
  await phone.unlock()
  await phone.button('继续').tap()
  assert.equal(await phone.page.getByLabel('要点').inputValue(), '儿子在银川')
  assert.equal(await phone.button('电话').getAttribute('aria-pressed'), 'true')
  await phone.button('存档').tap()
  await phone.allReceived()
  isQuiet(phone)
})

test('the app starts with no network at all, and sends when there is one', async () => {
  const phone = await enrolled('ma')
  await phone.registerHousehold('张铁柱', '一组')
  await phone.allReceived()
  await phone.installed()
  await phone.die()
  await phone.context.setOffline(true)

  await phone.open()
  await phone.unlock()
  await phone.openHousehold('张铁柱')
  await phone.write('村民组', '三组')
  await phone.page.locator('.mark', { hasText: '待发 1' }).waitFor()
  // Screens of no everyday use are on the phone, too.
  for (const screen of ['more', 'me', 'outbox', 'notebook', 'about', 'new/task']) {
    await phone.at(`/${screen}`)
    await phone.page.locator('main').waitFor()
  }

  await phone.context.setOffline(false)
  await phone.allReceived()
  isQuiet(phone)
})

test('the number under which the service is filed is shown, once heard without a network too', async () => {
  const phone = await enrolled('ma')
  for (const offline of [false, true]) {
    await phone.context.setOffline(offline)
    await phone.at('/about')
    await phone.page.getByText(FILING).waitFor()
    await phone.at('/more')
  }
  isQuiet(phone)
})

test('two who write one field unseen by each other see both values, and one of them chooses', async () => {
  const [ma, li] = [await enrolled('ma'), await enrolled('li')]
  await ma.registerHousehold('王有才', '一组')
  await ma.allReceived()
  await li.syncByHand()

  await ma.context.setOffline(true)
  await ma.openHousehold('王有才')
  await ma.write('村民组', '二组')
  await li.openHousehold('王有才')
  await li.write('村民组', '三组')
  await li.allReceived()
  await ma.context.setOffline(false)
  await ma.allReceived()

  await ma.openHousehold('王有才')
  const conflict = ma.page.locator('.line.conflict')
  await conflict.waitFor()
  assert.match(await conflict.innerText(), /二组[\s\S]*本人[\s\S]*三组[\s\S]*李秀英|三组[\s\S]*李秀英[\s\S]*二组[\s\S]*本人/)
  await conflict.getByRole('button').tap()
  await ma.page.locator('.said', { hasText: '三组' }).getByRole('button', { name: '选这个' }).tap()
  await conflict.waitFor({ state: 'detached' })
  await ma.allReceived()

  await li.syncByHand()
  await li.openHousehold('王有才')
  assert.equal(await li.page.locator('.line.conflict').count(), 0)
  isQuiet(ma)
  isQuiet(li)
})

test('a wrong PIN says how many tries are left, and the right one opens', async () => {
  const phone = await enrolled('ma')
  await phone.page.reload()
  await phone.unlock('999999')
  await phone.page.getByText('还可以试 9 次').waitFor()
  await phone.unlock()
  await phone.page.getByRole('navigation').waitFor()
  isQuiet(phone)
})

test('a second window waits, and takes over when the first is closed', async () => {
  const phone = await enrolled('ma')
  const first = phone.page
  await phone.open()
  await phone.page.getByText('已在另一个窗口打开').waitFor()
  await first.close()
  await phone.page.getByText('请输入 PIN').waitFor()
  isQuiet(phone)
})

test('what is found on a visit becomes a task, with all that is known of it', async () => {
  const phone = await enrolled('ma')
  await phone.registerHousehold('苏桂兰', '二组')
  await phone.allReceived()
  await phone.context.setOffline(true)
  await phone.button('记走访').tap()
  const needs = phone.page.getByRole('group', { name: '诉求', exact: true })
  await phone.button('饮水', needs).tap()
  await phone.button('道路', needs).tap()
  await phone.button('存档，接着办').tap()
  await phone.button('新建帮扶任务', phone.page.locator('.sheet')).tap()
  const title = phone.page.getByLabel('标题')
  await title.waitFor()
  assert.equal(await title.inputValue(), '饮水、道路（苏桂兰）')
  assert.equal(await phone.button('走访发现').getAttribute('aria-pressed'), 'true')
  await phone.button('保存').tap()
  await phone.page.locator('.tag', { hasText: '进行' }).first().waitFor()
  // The visit, its filing and the task: made and filed is one save, and all of it waits.
  await phone.page.locator('.mark', { hasText: '待发 3' }).waitFor()
  await phone.context.setOffline(false)
  await phone.allReceived()
  isQuiet(phone)
})

test('what a visit suspects becomes a clue, and nothing is typed again', async () => {
  const phone = await enrolled('ma')
  await phone.registerHousehold('石玉珍', '三组')
  await phone.allReceived()
  await phone.context.setOffline(true)
  await phone.button('记走访').tap()
  await phone.page.getByLabel('要点').fill('老伴上月住院，花了三万多。')
  const risks = phone.page.getByRole('group', { name: '风险', exact: true })
  await phone.button('因病', risks).tap()
  await phone.button('存档，接着办').tap()
  await phone.button('新建线索', phone.page.locator('.sheet')).tap()
  const account = phone.page.getByLabel('说明')
  await account.waitFor()
  await phone.page.waitForFunction(() => document.querySelector('textarea')?.value === '老伴上月住院，花了三万多。')
  assert.equal(await phone.button('因病').getAttribute('aria-pressed'), 'true')
  assert.equal(await phone.button('干部回访').getAttribute('aria-pressed'), 'true')
  await phone.page.getByRole('button', { name: '石玉珍' }).first().waitFor()
  await phone.button('保存').tap()
  await phone.page.locator('.tag', { hasText: '待核' }).first().waitFor()
  // From the clue an issue: the household, the account and the visit are there before anybody types.
  await phone.button('更多').tap()
  await phone.button('新建问题', phone.page.locator('.sheet')).tap()
  await phone.page.waitForFunction(() => document.querySelector('textarea')?.value === '老伴上月住院，花了三万多。')
  await phone.context.setOffline(false)
  await phone.allReceived()
  isQuiet(phone)
})

test('a household that is registered already is shown before it is registered again', async () => {
  const phone = await enrolled('ma')
  await phone.registerHousehold('苏玉兰', '六组')
  await phone.at('/new/household')
  // Another character of the same sound.
  await phone.page.getByLabel('户主姓名').fill('苏玉蓝')
  await phone.page.getByText('可能已经登记过').waitFor()
  await phone.page.getByRole('link', { name: /^苏玉兰/ }).tap()
  await phone.button('记走访').waitFor()
  isQuiet(phone)
})

test('a date of birth is taken from the number that says it, and goes when that is corrected', async () => {
  const phone = await enrolled('ma')
  await phone.registerHousehold('罗成义', '三组')
  await phone.at('/new/person')
  await phone.button(/^补充填写/).tap()
  const number = phone.page.getByLabel('证件号', { exact: true })
  const born = phone.page.getByLabel('出生日期', { exact: true })
  const shown = await born.elementHandle()
  const says = (day) => phone.page.waitForFunction(([shown, day]) => shown.value === day, [shown, day])
  await number.fill('11010519491231002X')
  await says('1949-12-31')
  await number.fill('11010519491231002')
  await says('')
  await number.fill('440524188001010014')
  await says('1880-01-01')
  // What its person wrote stays.
  await born.fill('1880-01-02')
  await number.fill('11010519491231002X')
  await phone.page.getByLabel(/^姓名/).fill('罗小义')
  await says('1880-01-02')
  isQuiet(phone)
})

test('the diary and the month are drafted from what was recorded, each line with its source', async () => {
  const phone = await enrolled('ma')
  await phone.registerHousehold('田玉莲', '五组')
  await phone.context.setOffline(true)
  await phone.button('记走访').tap()
  await phone.button('入户').tap()
  await phone.page.getByLabel('要点').fill('屋后排水沟堵了。')
  await phone.button('存档').tap()
  await phone.button('记走访').waitFor()
  await phone.at('/new/diary')
  await phone.page.waitForFunction(() => document.querySelector('textarea')?.value.includes('田玉莲，入户，屋后排水沟堵了。'))
  await phone.page.getByLabel('标题').fill('五组')
  await phone.button('保存').tap()
  await phone.page.locator('.tag', { hasText: '草稿' }).first().waitFor()
  await phone.at('/paper/monthly_sheet')
  const line = phone.page.getByRole('row', { name: /屋后排水沟堵了/ })
  await line.getByRole('link').tap()
  await phone.page.getByRole('heading', { name: '走访' }).first().waitFor()
  await phone.context.setOffline(false)
  await phone.allReceived()
  isQuiet(phone)
})

test('a task is taken on, told of and finished', async () => {
  const phone = await enrolled('ma')
  await phone.tab('任务')
  await phone.button('建任务').tap()
  await phone.page.getByLabel('标题').fill('联系水管站')
  await phone.button('保存').tap()
  await phone.button('写进展').tap()
  const sheet = phone.page.locator('.sheet')
  await sheet.locator('textarea').fill('已打电话，明天来人。')
  await phone.button('保存', sheet).tap()
  await phone.page.getByText('已打电话，明天来人。').waitFor()
  await phone.button('更多').tap()
  await phone.button('办结', sheet).tap()
  await sheet.getByLabel('结果').fill('水通了。')
  await phone.button('办结', sheet).last().tap()
  await phone.page.locator('.tag', { hasText: '办结' }).first().waitFor()
  await phone.allReceived()
  isQuiet(phone)
})

test('every screen is readable by anybody, fits a small screen with large text, and speaks both languages', async () => {
  const phone = await enrolled('ma', { viewport: { width: 320, height: 640 } })
  await phone.registerHousehold('杨翠花', '四组')
  const household = (await phone.page.evaluate(() => location.hash)).slice(1)
  const screens = ['/', '/visit', '/households', '/tasks', '/more', '/me', '/outbox', '/checks', '/pin', '/log-in', '/enrol', '/notebook', '/feedback', '/about']
  screens.push('/new/task', '/new/person', '/paper/monthly_sheet', '/paper/need_ledger', '/kind/visit', household)
  for (const language of ['English', '中文']) {
    await phone.at('/me')
    await phone.button('200%').tap()
    await phone.button(language).tap()
    for (const screen of screens) {
      await phone.at(screen)
      await phone.page.locator('main').waitFor()
      await phone.page.waitForTimeout(300)
      await isReadable(phone, `${screen} in ${language}`)
    }
  }
  isQuiet(phone)
})
