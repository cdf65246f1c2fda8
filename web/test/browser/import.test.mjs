// A department's list in the county's hand: matched on its phone, decided where it is not clear, and clues in the village.
//
//   npm run build && npm run browser

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { enrolled, isQuiet, isReadable, useDeployment } from './start.mjs'

const SOURCE = '医保局大病名单'
const NUMBER = '11010519491231002X'
/** The same but for its last character, which is then not the one that it must end with. */
const WRONG_NUMBER = '110105194912310021'

const LIST = {
  name: '名单.csv',
  mimeType: 'text/csv',
  buffer: Buffer.from(
    [
      '西吉县大病人员名单',
      '序号,村,姓名,身份证号,村民组,风险',
      `1,泉儿湾村,马德福,${NUMBER},一组,大病`,
      '2,泉儿湾村,王桂芳,,二组,',
      '3,泉儿湾村,海如意,,四组,',
      '4,乌有村,张三,,,',
      `5,泉儿湾村,马德福,${WRONG_NUMBER},,`,
      `1,泉儿湾村,马德福,${NUMBER},一组,大病`,
    ].join('\r\n'),
  ),
}

useDeployment([], [['cao', '曹文斌', 'CS', '640422000000']])

/** How many rows came to what. */
const counted = (phone, result, rows) => phone.page.locator('main li', { hasText: result }).filter({ hasText: rows }).waitFor()

/** Picks the list, on the screen that asks for one. */
async function pick(phone) {
  await phone.page.locator('input[type=file]').setInputFiles(LIST)
  await phone.page.locator('main select').first().waitFor()
}

/** Nothing moves any more, for what fades in is not readable yet; and it is readable. */
async function looksWell(phone, screen) {
  await phone.page.waitForFunction(() => document.getAnimations().length === 0)
  await isReadable(phone, screen)
}

/** What a row can be decided to be. */
const row = (phone, name) => phone.page.getByRole('group', { name: new RegExp(`^${name}`) })

async function addPerson(phone, household, name, number) {
  await phone.openHousehold(household)
  await phone.page.getByRole('link', { name: '加成员' }).tap()
  await phone.page.getByLabel('姓名').fill(name)
  await phone.button(/^补充填写/).tap()
  await phone.page.getByLabel('证件号', { exact: true }).fill(number)
  await phone.button('保存').tap()
  await phone.page.locator('.head-card').waitFor()
}

test('a list is tried, decided, imported and in the village; imported again it makes nothing twice', async () => {
  const ma = await enrolled('ma')
  await ma.registerHousehold('马德福', '一组')
  await addPerson(ma, '马德福', '马德福', NUMBER)
  for (const group of ['二组', '三组']) await ma.registerHousehold('王桂芳', group)
  await ma.allReceived()

  // A small screen, and eyes that want large text.
  const cao = await enrolled('cao', { viewport: { width: 320, height: 640 } })
  await cao.at('/me')
  await cao.button('200%').tap()
  await cao.tab('更多')
  await cao.page.getByRole('link', { name: /^导入比对清单/ }).tap()
  await cao.page.getByText('先试运行').waitFor()
  await looksWell(cao, 'choosing a list')

  // The columns are known by their names, under a title; whose list it is nobody can know.
  await pick(cao)
  assert.equal(await cao.button(/^序号 · 村/).getAttribute('aria-pressed'), 'true')
  await cao.button(/^西吉县大病人员名单/).tap()
  await cao.page.getByText(/^还差：.*村/).waitFor()
  await cao.button(/^序号 · 村/).tap()
  await cao.page.getByText(/^还差/).waitFor({ state: 'detached' })
  await cao.page.getByLabel('比对来源').fill(SOURCE)
  await looksWell(cao, 'what the columns say')

  // What the list calls a risk stands for none of ours until somebody says so.
  await cao.button('试运行').tap()
  await cao.button('导入 0 条').waitFor()
  await cao.page.getByLabel('风险：大病').selectOption({ label: '因病' })
  await cao.button('导入 1 条').waitFor()
  await counted(cao, '没有这个村', '1 行')
  await counted(cao, '清单内重复', '1 行')
  await cao.page.locator('main li', { hasText: '张三 · 乌有村' }).filter({ hasText: '第 6 行' }).waitFor()
  await cao.page.locator('main li', { hasText: '第 7 行' }).filter({ hasText: '校验位不对' }).waitFor()
  await cao.button(/^王桂芳 · 二组/, row(cao, '王桂芳')).tap()
  await cao.button('导入 2 条').waitFor()
  await cao.button(/^王桂芳 · 三组/, row(cao, '王桂芳')).tap()
  await cao.button('在册没有这一户', row(cao, '海如意')).tap()
  await cao.button('导入 3 条').waitFor()
  await looksWell(cao, 'a dry run')

  // Whoever is called away finds what he decided.
  await cao.tab('更多')
  await cao.page.getByRole('link', { name: /^导入比对清单/ }).tap()
  await pick(cao)
  await cao.page.getByText('沿用上次的选法').waitFor()
  assert.equal(await cao.page.getByLabel('比对来源').inputValue(), SOURCE)
  await cao.button('试运行').tap()
  await cao.button('导入 3 条').waitFor()
  assert.equal(await cao.button('在册没有这一户', row(cao, '海如意')).getAttribute('aria-pressed'), 'true')
  const [report] = await Promise.all([cao.page.waitForEvent('download'), cao.button('存下每行的结果').tap()])
  const said = readFileSync(await report.path(), 'utf8')
  assert.match(said, /海如意/)
  assert.doesNotMatch(said, new RegExp(NUMBER))

  await cao.button('导入 3 条').tap()
  await cao.page.getByText('已生成 3 条线索').waitFor()
  await counted(cao, '已有线索', '3 行')
  assert.equal(await cao.button('导入 0 条').isDisabled(), true)
  await looksWell(cao, 'what was imported')
  await cao.button('待发').tap()
  await cao.button('现在同步').waitFor()
  await cao.allReceived()

  await ma.syncByHand()
  await ma.at('/kind/clue')
  for (const name of ['马德福', '王桂芳', '海如意']) {
    await ma.page.getByRole('link', { name: new RegExp(`^${name}`) }).waitFor()
  }
  assert.equal(await ma.page.locator('main a.row').count(), 3)
  await ma.page.getByRole('link', { name: /^马德福/ }).tap()
  for (const text of [SOURCE, '部门比对', '因病']) await ma.page.getByText(text, { exact: true }).first().waitFor()

  await cao.at('/import')
  await pick(cao)
  await cao.button('试运行').tap()
  await counted(cao, '已有线索', '3 行')
  assert.equal(await cao.button('导入 0 条').isDisabled(), true)

  // The same in English.
  await cao.at('/me')
  await cao.button('English').tap()
  await cao.page.getByRole('heading', { name: 'Language' }).waitFor()
  await cao.at('/import')
  await cao.page.getByText('It is tried first').waitFor()
  await looksWell(cao, 'choosing a list in English')
  await pick(cao)
  await looksWell(cao, 'what the columns say in English')
  await cao.button('Try it').tap()
  await cao.page.getByText('Rows that cannot be imported').waitFor()
  await looksWell(cao, 'a dry run in English')
  for (const phone of [ma, cao]) isQuiet(phone)
})

test('what imports lists comes when it is first wanted, and is there without a network from then on', async () => {
  const phone = await enrolled('cao')
  await phone.installed()
  const line = phone.page.getByRole('link', { name: /^导入比对清单/ })
  await phone.tab('更多')
  await phone.context.setOffline(true)
  await line.tap()
  await phone.page.getByText('导入要用的部分还不在本机').waitFor()
  await phone.context.setOffline(false)
  await line.tap()
  await pick(phone)

  await phone.die()
  await phone.context.setOffline(true)
  await phone.open('#/import')
  await phone.unlock()
  await phone.page.getByText('先试运行').waitFor()
  await pick(phone)
  await phone.page.getByText('列名在哪一行').waitFor()
  assert.deepEqual(phone.strangers, [])
})
