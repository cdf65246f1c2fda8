// Photographs and voice with a visit, from the phone that takes them to a teammate's.
//
//   npm run build && npm run browser

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'

import { enrolled as enrolledWith, isQuiet, useDeployment } from './start.mjs'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** What a phone hands over at a time, at first. */
const PIECE_BYTES = 256 * 1024
/** What a camera writes beside the picture: that it is to be turned by a quarter, and where it was taken. */
const PLACE = 'GPS 35.97N 105.74E'

useDeployment()

/** A phone whose person lets it record. */
const enrolled = (user) => enrolledWith(user, { permissions: ['microphone'] })

/** A photograph as a phone's camera writes it, lying on its side. */
async function photograph(phone, width = 2400, height = 1600) {
  const drawn = await phone.page.evaluate(
    async ([width, height]) => {
      const canvas = new OffscreenCanvas(width, height)
      const context = canvas.getContext('2d')
      const sky = context.createLinearGradient(0, 0, width, height)
      sky.addColorStop(0, '#7fa6c9')
      sky.addColorStop(1, '#8a6f4d')
      context.fillStyle = sky
      context.fillRect(0, 0, width, height)
      context.fillStyle = '#2b2b2b'
      context.fillRect(width * 0.3, height * 0.4, width * 0.2, height * 0.4)
      // Grass, so that there is more than goes in one piece.
      const grass = context.getImageData(0, height * 0.3, width, height * 0.7)
      for (let at = 0; at < grass.data.length; at += 1) grass.data[at] -= at % 4 === 3 ? 0 : Math.random() * 160
      context.putImageData(grass, 0, height * 0.3)
      const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.95 })
      return [...new Uint8Array(await blob.arrayBuffer())]
    },
    [width, height],
  )
  // One entry (orientation: 6, upright after a quarter to the right), then text that nobody is to read.
  const tiff = Buffer.concat([
    Buffer.from('4d4d002a00000008' + '0001' + '0112' + '0003' + '00000001' + '00060000' + '00000000', 'hex'),
    Buffer.from(PLACE),
  ])
  const exif = Buffer.concat([Buffer.from('Exif\0\0'), tiff])
  const head = Buffer.from([0xff, 0xe1, (exif.length + 2) >> 8, (exif.length + 2) & 0xff])
  const bytes = Buffer.from(drawn)
  return Buffer.concat([bytes.subarray(0, 2), head, exif, bytes.subarray(2)])
}

async function beginVisit(phone, name) {
  await phone.registerHousehold(name, '一组')
  await phone.allReceived()
  await phone.button('记走访').tap()
  await phone.button('入户').tap()
}

async function addPhoto(phone, files) {
  const field = phone.page.getByRole('group', { name: /照片/ })
  const before = await field.locator('.thumb img').count()
  await field.locator('input[type=file]').last().setInputFiles(files)
  await field.locator('.thumb img').nth(before + files.length - 1).waitFor()
  return field
}

async function record(phone, millis) {
  await phone.button('开始录音').tap()
  await phone.page.getByRole('timer').waitFor()
  await phone.page.waitForTimeout(millis)
  await phone.page.getByRole('button', { name: /录完了/ }).tap()
  await phone.page.locator('audio').waitFor()
}

async function reveal(phone, field) {
  await phone.page.locator('.line', { hasText: field }).getByRole('button', { name: '查看原文' }).tap()
  const sheet = phone.page.locator('.sheet')
  await sheet.getByRole('textbox').fill('核对')
  await phone.button('查看原文', sheet).tap()
  await sheet.waitFor({ state: 'hidden' })
}

/** The shown picture's own size. */
async function seen(phone) {
  const image = phone.page.locator('.thumb img').first()
  await image.waitFor()
  return image.evaluate(async (image) => {
    await image.decode()
    return { width: image.naturalWidth, height: image.naturalHeight }
  })
}

/** Whoever sees, hears or moves otherwise can use what is on the screen, and it fits. */
async function isForAnybody(phone) {
  await phone.page.evaluate(AXE)
  const { violations } = await phone.page.evaluate(() => window.axe.run())
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  assert.deepEqual(
    grave.map(({ id, nodes }) => `${id} ${nodes[0].html}`),
    [],
  )
  assert.ok((await phone.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0)
}

/** What leaves a phone of files, in order. */
function handedOver(phone) {
  const pieces = []
  phone.context.on('request', (request) => {
    if (request.method() === 'PATCH') pieces.push(request.postDataBuffer())
  })
  return () => Buffer.concat(pieces)
}

test('a photograph and a memo are kept offline, sent after their visit, and seen by a teammate', async () => {
  const [ma, li] = [await enrolled('ma'), await enrolled('li')]
  await beginVisit(ma, '马德福')
  await ma.installed()
  const handed = handedOver(ma)
  await ma.context.setOffline(true)
  await addPhoto(ma, [{ name: 'IMG_0001.jpg', mimeType: 'image/jpeg', buffer: await photograph(ma) }])
  await record(ma, 1_500)
  await isForAnybody(ma)
  await ma.button('存档').tap()
  await ma.page.locator('.mark', { hasText: '待发' }).waitFor()

  await ma.at('/outbox')
  await ma.page.getByText(/照片 1 张 · 录音 1 段 · [\d.]+ KB 未送/).waitFor()
  await ma.page.locator('.thumb img').first().waitFor()
  await isForAnybody(ma)

  await ma.context.setOffline(false)
  await ma.allReceived()
  await ma.page.getByText('没有待发的内容').waitFor()
  const bytes = handed()
  assert.ok(bytes.length > PIECE_BYTES && bytes.length < 1_000_000, `${bytes.length} bytes`)
  assert.ok(!bytes.includes(PLACE) && !bytes.includes('Exif'), 'it tells where it was taken')
  for (const phone of [ma, li]) {
    if (phone === li) await li.syncByHand()
    await phone.openHousehold('马德福')
    await phone.page.locator('a.row', { hasText: '入户' }).tap()
    await reveal(phone, '照片')
    assert.deepEqual(await seen(phone), { width: 1067, height: 1600 }, 'upright and small')
    await reveal(phone, '录音')
    const audio = phone.page.locator('audio')
    await audio.waitFor()
    await audio.evaluate(async (audio) => {
      audio.muted = true
      await audio.play()
    })
  }
  await isForAnybody(li)
  // On the whole screen, and back by the phone's own key.
  await li.page.locator('.thumb').first().tap()
  await li.page.locator('.viewer img').waitFor()
  await isForAnybody(li)
  await li.page.goBack()
  await li.page.locator('.viewer img').waitFor({ state: 'hidden' })
  await li.page.locator('.thumb').first().waitFor()

  // Nothing of it stayed on either phone: without a network there is nothing to show.
  await li.installed()
  await li.die()
  await li.context.setOffline(true)
  await li.open()
  await li.unlock()
  await li.openHousehold('马德福')
  await li.page.locator('a.row', { hasText: '入户' }).tap()
  await reveal(li, '照片')
  await li.page.getByText('有网络时可看').first().waitFor()
  isQuiet(ma)
  isQuiet(li)
})

test('a photograph that was taken when the battery died is in the form again', async () => {
  const phone = await enrolled('ma')
  await beginVisit(phone, '李玉兰')
  const field = await addPhoto(phone, [
    { name: '1.jpg', mimeType: 'image/jpeg', buffer: await photograph(phone, 600, 400) },
    { name: '2.jpg', mimeType: 'image/jpeg', buffer: await photograph(phone, 640, 400) },
  ])
  await phone.button('移除第 1 个', field).tap()
  await phone.page.waitForTimeout(300)
  await phone.die()
  await phone.open()
  await phone.unlock()
  await phone.button('继续').tap()
  await phone.page.locator('.thumb img').waitFor()
  assert.equal(await phone.page.locator('.thumb img').count(), 1)
  const notAPicture = { name: 'x.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture') }
  await phone.page.getByRole('group', { name: /照片/ }).locator('input[type=file]').last().setInputFiles([notAPicture])
  await phone.page.getByText(/照片打不开/).waitFor()
  await phone.button('存档').tap()
  await phone.allReceived()
  isQuiet(phone)
})
