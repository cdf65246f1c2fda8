import { expect, test } from 'vitest'
import type { Hit } from '../src/core/api'
import { Finder, soundsOf, spelt } from '../src/core/find'

const journal = '07'.repeat(16)
const hit = (title: string, at: number, kind = 'household'): Hit => ({
  journal,
  record: at.toString(16).padStart(32, '0'),
  kind,
  title,
  state: null,
})

test('a title is spelt by its pinyin, by initials, and by beginnings of both', () => {
  const sounds = soundsOf('张三丰')
  for (const letters of ['zhangsanfeng', 'zhang', 'zhangs', 'zsf', 'zs', 'zsan', 'zhsf']) {
    expect(spelt(letters, sounds), letters).toBe(0)
  }
  expect(spelt('sf', sounds)).toBe(1)
  for (const letters of ['zf', 'sanz', 'x', 'hang']) expect(spelt(letters, sounds), letters).toBe(-1)
  expect(spelt('xian', soundsOf('西安'))).toBe(0)
})

test('a surname of several readings is read as a surname', () => {
  for (const [name, letters] of [['单建国', 'shan'], ['仇福贵', 'qiu'], ['曾秀英', 'zeng']] as const) {
    expect(spelt(letters, soundsOf(name)), name).toBe(0)
  }
})

test('what begins so comes first, then what contains it, then what is spelt so', () => {
  const finder = new Finder([hit('李张家', 1), hit('张三', 2), hit('王三张', 3), hit('赵四', 4), hit('张三', 5, 'visit')])
  const titles = (text: string, kind?: string) => finder.search(text, kind).map((one) => one.title)
  expect(titles('张', 'household')).toEqual(['张三', '李张家', '王三张'])
  expect(titles('zs')).toEqual(['张三', '张三', '赵四'])
  expect(titles(' Z S ', 'visit')).toEqual(['张三'])
  expect(titles('')).toEqual([])
  finder.remove(journal, hit('', 2).record)
  expect(titles('张三', 'household')).toEqual([])
})

test('ten thousand records are searched within a keystroke', () => {
  const surnames = [...'马王张李杨丁吴海罗冶安田苏虎单摆']
  const given = [...'国建秀英文学福贵红梅志强玉兰成义晓燕海龙正芳占林']
  const hits = Array.from({ length: 10_000 }, (_, at) => {
    const pick = (of: string[], by: number) => of[Math.floor(at / by) % of.length] ?? ''
    return hit(pick(surnames, 1) + pick(given, 16) + pick(given, 384), at)
  })
  const finder = new Finder(hits)
  const begun = performance.now()
  for (const text of ['z', 'zgj', '国', 'maguo', 'xx']) finder.search(text, 'household')
  // A budget of 50 ms on a phone a quarter as fast; and machines that are busy with other things.
  expect((performance.now() - begun) / 5).toBeLessThan(50)
})
