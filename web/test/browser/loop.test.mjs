// From a first sign of trouble to a notice in the village: each office on a phone of its own, two of them without a network.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { VILLAGE } from './deployment.mjs'
import { enrolled, isQuiet, isReadable, useDeployment } from './start.mjs'

useDeployment(
  [],
  [
    ['wu', '吴有才', 'VC', VILLAGE],
    ['tang', '唐晓梅', 'TW', '640422100000'],
    ['cao', '曹文斌', 'CS', '640422000000'],
  ],
)

/** Where a phone is, to be opened on another one. */
const whereabouts = (phone) => phone.page.evaluate(() => location.hash.slice(1))

/** Waits until the record that is on the screen is in a state. */
const stands = (phone, state) => phone.page.locator('.head-card .tag', { hasText: state }).waitFor()

/** Opens a record once it has come. */
async function openAt(phone, path) {
  await phone.syncByHand()
  await phone.at(path)
  await phone.page.locator('.head-card').waitFor()
}

/** Takes an action that stands behind 更多, or under the thumb. */
async function take(phone, name) {
  const first = phone.button(name)
  const more = phone.button('更多')
  await first.or(more).first().waitFor()
  if (!(await first.isVisible())) await more.tap()
  await first.first().tap()
}

/** What a control holds, once it does. */
const says = (control, text) =>
  control.elementHandle().then((shown) => control.page().waitForFunction(([shown, text]) => shown.value === text, [shown, text]))

/** Looks at the screen in both languages; what was typed on it stays. */
async function isReadableInBoth(phone, screen) {
  const path = await whereabouts(phone)
  for (const language of ['English', '中文']) {
    await phone.at('/me')
    await phone.button(language).tap()
    await phone.at(path)
    await phone.page.locator('main .card').first().waitFor()
    await isReadable(phone, `${screen} in ${language}`)
  }
}

test('a step at the door and one at the meeting are taken on pages of their own, with what they rest on made on the way', async () => {
  const [tang, cao] = await Promise.all(['tang', 'cao'].map((user) => enrolled(user)))
  // In the village a small old phone, and eyes that want large text.
  const [ma, wu] = await Promise.all(['ma', 'wu'].map((user) => enrolled(user, { viewport: { width: 320, height: 640 } })))
  for (const phone of [ma, wu]) {
    await phone.at('/me')
    await phone.button('200%').tap()
    // English comes when it is first asked for.
    await phone.button('English').tap()
    await phone.page.getByRole('heading', { name: 'Language' }).waitFor()
    await phone.button('中文').tap()
  }

  // A visit raises a suspicion, without a network; looked into, it becomes a clue that is verified by what the visit found.
  await ma.registerHousehold('摆凤英', '二组')
  await ma.allReceived()
  await ma.context.setOffline(true)
  for (const name of ['摆凤英', '摆小军']) {
    await ma.page.getByRole('link', { name: '加成员' }).tap()
    await ma.page.getByLabel('姓名').fill(name)
    await ma.button('保存').tap()
    await ma.page.locator('.head-card').waitFor()
    await ma.openHousehold('摆凤英')
  }
  await ma.button('记走访').tap()
  await ma.page.getByLabel('要点').fill('塌了半间圈，羊死了六只。')
  await ma.button('因灾', ma.page.getByRole('group', { name: '风险', exact: true })).tap()
  await ma.button('存档，接着办').tap()
  await ma.button('新建线索', ma.page.locator('.sheet')).tap()
  await says(ma.page.getByLabel('说明'), '塌了半间圈，羊死了六只。')
  await ma.button('保存').tap()
  await stands(ma, '待核')
  const clue = await whereabouts(ma)
  await take(ma, '核实')
  await says(ma.page.getByLabel('核实情况'), '塌了半间圈，羊死了六只。')
  await ma.page.locator('.visit[aria-pressed=true]').waitFor()
  await ma.button('核实').tap()
  await stands(ma, '已核实')
  await ma.context.setOffline(false)
  await ma.allReceived()

  // The township finds it true and makes it a case.
  await openAt(tang, clue)
  await take(tang, '认定属实')
  await tang.page.locator('.van-dialog__confirm').tap()
  await stands(tang, '属实')
  await take(tang, '新建监测对象')
  await tang.button('保存').tap()
  await stands(tang, '入户核实')
  const found = await whereabouts(tang)
  await tang.allReceived()

  // At the door, without a network: the visit that is made on the way is the one meant, and the sums are not done in the head.
  await openAt(ma, found)
  await ma.context.setOffline(true)
  await take(ma, '核实完成')
  await ma.button('再记一次走访').tap()
  await ma.page.getByLabel('要点').fill('羊圈确已塌了一半，存栏剩九只。')
  await ma.button('存档').tap()
  await ma.page.getByText('羊圈确已塌了一半，存栏剩九只。').waitFor()
  assert.equal(await ma.page.locator('.visit[aria-pressed=true]').count(), 1)
  const door = ma.page.locator('.income')
  for (const [side, item, amount] of [
    ['收入', '卖羊', '9000'],
    ['收入', '低保', '4001'],
    ['支出', '饲料', '3000'],
  ]) {
    await ma.button(`加一项${side}`, door).tap()
    await door.getByLabel('项目').last().waitFor()
    const line = door.getByRole('group', { name: side, exact: true }).locator('.line').last()
    await line.getByLabel('项目').fill(item)
    await line.getByLabel('金额（元）').fill(amount)
  }
  await door.getByText('收入 13001 元，支出 3000 元，净 10001 元').waitFor()
  assert.equal(await ma.button('核实完成').isDisabled(), true)
  await ma.page.getByText(/^还差：.*授权书签字日期/).waitFor()
  await isReadableInBoth(ma, 'verification')
  // The battery dies at the table.
  const step = await whereabouts(ma)
  await ma.die()
  await ma.open(`#${step}`)
  await ma.unlock()
  await ma.button('填入', ma.page.locator('.income')).tap()
  await says(ma.page.getByLabel(/^每口人/), '5000')
  await ma.page.getByLabel(/^授权书签字日期/).fill('2026-11-02')
  await ma.button('核实完成').tap()
  await stands(ma, '部门比对')
  await ma.page.getByText('卖羊').first().waitFor()
  await ma.context.setOffline(false)
  await ma.allReceived()

  await openAt(cao, found)
  await take(cao, '比对完成')
  await cao.page.locator('.sheet').getByLabel('比对结果').fill('无车辆，无商铺。')
  await cao.button('比对完成', cao.page.locator('.sheet')).tap()
  await stands(cao, '村级评议')
  await cao.allReceived()

  // At the meeting, without a network: what was found stands there, and the notice is drafted and put up from the same page.
  await openAt(wu, found)
  await wu.context.setOffline(true)
  await take(wu, '评议完成')
  await wu.page.locator('.found', { hasText: '无车辆，无商铺。' }).waitFor()
  await wu.page.getByLabel(/^到会人数/).fill('27')
  await wu.page.getByLabel(/^评议结论/).fill('一致同意纳入。')
  await isReadableInBoth(wu, 'deliberation')
  await wu.at(found)
  await take(wu, '评议完成')
  await wu.button('拟公示').tap()
  const sheet = wu.page.locator('.sheet')
  await sheet.getByLabel(/^张贴地点/).fill('村部公告栏')
  await wu.button('张贴', sheet).tap()
  await wu.page.locator('main .tag', { hasText: '张贴中' }).waitFor()
  await wu.page.getByRole('link', { name: /^拟纳入监测对象公示/ }).tap()
  await stands(wu, '张贴中')
  const notice = await whereabouts(wu)
  await wu.page.goBack()
  await wu.button('评议完成').tap()
  await stands(wu, '公示')
  await wu.context.setOffline(false)
  await wu.allReceived()

  // What hangs is masked; each objection stands with its answer.
  await openAt(ma, notice)
  await ma.page.locator('.hangs', { hasText: '摆*英' }).or(ma.page.locator('.hangs', { hasText: '摆**' })).waitFor()
  assert.equal(await ma.page.locator('.hangs', { hasText: '凤' }).count(), 0)
  for (const [objection, answer] of [
    ['他家还有一辆三轮车。', '三轮车已报废，不计。'],
    ['羊没有死那么多。', '已查死畜照片，属实。'],
  ]) {
    await openAt(ma, notice)
    await take(ma, '记录异议')
    await ma.page.locator('.sheet').getByLabel('异议').fill(objection)
    await ma.button('记录异议', ma.page.locator('.sheet')).tap()
    await ma.page.locator('.thread', { hasText: '待答复' }).waitFor()
    await ma.allReceived()
    await openAt(wu, notice)
    await take(wu, '答复异议')
    await wu.page.locator('.sheet').getByLabel('答复').fill(answer)
    await wu.button('答复异议', wu.page.locator('.sheet')).tap()
    await wu.page.locator('.thread', { hasText: objection }).filter({ hasText: answer }).waitFor()
    await wu.allReceived()
  }
  assert.equal(await wu.page.locator('.thread').count(), 2)
  await isReadableInBoth(wu, 'notice')
  for (const phone of [ma, tang, cao, wu]) isQuiet(phone)
})
