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

test('a character of several readings is found by each of them', () => {
  const names = [['单建国', 'shan'], ['单建国', 'djg'], ['仇福贵', 'qiu'], ['曾秀英', 'zeng'], ['吕喆', 'lvzhe'], ['A区 12号', 'aqu12h']] as const
  for (const [name, letters] of names) {
    expect(spelt(letters, soundsOf(name)), name).toBe(0)
  }
})

test('what sounds the same may be the same, and what only begins so is not', () => {
  const finder = new Finder([hit('张三', 1), hit('章三', 2), hit('张三丰', 3), hit('张山', 4), hit('单建国', 5), hit('张三', 6, 'person')])
  const titles = (text: string) => finder.alike(text, 'household').map((one) => one.title)
  expect(titles('张三')).toEqual(['张三', '章三'])
  expect(titles('善建国')).toEqual(['单建国'])
  expect(titles('')).toEqual([])
  expect(titles('——')).toEqual([])
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

test('what changes keeps its place among its namesakes, and is found by its new title alone', () => {
  const finder = new Finder([hit('张三', 1), hit('张三', 2)])
  const records = (text: string) => finder.search(text, 'household').map((one) => one.record)
  const [first, second] = [hit('', 1).record, hit('', 2).record]
  finder.add({ ...hit('张三', 1), state: 'cancelled' })
  expect(records('zs')).toEqual([first, second])
  expect(finder.retitles(hit('李四', 1))).toBe(true)
  finder.add(hit('李四', 1))
  expect(records('zs')).toEqual([second])
  expect(records('ls')).toEqual([first])
})
