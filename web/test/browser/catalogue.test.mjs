// A kind of record that was added as a file: from its form to a teammate's phone, without a line of the app written for it.

import { join } from 'node:path'
import { test } from 'node:test'

import { enrolled, isQuiet, useDeployment } from './start.mjs'

useDeployment([join(import.meta.dirname, '../../../tests/fixtures/kinds/well.toml')])

async function openKind(phone) {
  await phone.tab('更多')
  await phone.page.getByRole('link', { name: '水窖' }).tap()
}

test('a kind that was published as a file has a form, a list and a page, and is synced', async () => {
  const [phone, mate] = [await enrolled('ma'), await enrolled('li')]
  await phone.allReceived()
  await phone.context.setOffline(true)
  await openKind(phone)
  await phone.button('新建水窖').tap()
  await phone.page.getByLabel('窖主').fill('海永福')
  await phone.page.getByLabel('存水（方）').fill('30')
  await phone.button('保存').tap()
  await phone.page.getByText('在用').first().waitFor()
  await phone.write('存水（方）', '12')
  await phone.context.setOffline(false)
  await phone.allReceived()

  await mate.syncByHand()
  await openKind(mate)
  await mate.page.getByRole('link', { name: /海永福/ }).tap()
  await mate.line('存水（方）').getByText('12').waitFor()
  // Its actions are there too.
  await mate.button('更多').tap()
  const sheet = mate.page.locator('.sheet')
  await mate.button('废弃', sheet).tap()
  await sheet.locator('textarea').fill('窖壁裂了')
  await mate.button('废弃', sheet).last().tap()
  await mate.page.locator('.tag', { hasText: '废弃' }).first().waitFor()
  await mate.allReceived()
  for (const one of [phone, mate]) isQuiet(one)
})
