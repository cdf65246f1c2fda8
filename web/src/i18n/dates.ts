import type { DateText, Instant } from '../core/api'
import { lang, t } from './index'

/** The app's days are China's, wherever the phone thinks it is. */
const ZONE = 'Asia/Shanghai'
const DAY_MILLIS = 86_400_000

const civil = new Intl.DateTimeFormat('en-CA', { timeZone: ZONE, year: 'numeric', month: '2-digit', day: '2-digit' })

/** The civil date in China of an instant. */
export function dayOf(at: Instant): DateText {
  return civil.format(at)
}

/** Today, in China. */
export function todayText(): DateText {
  return dayOf(Date.now())
}

/** How many days lie between two civil dates; negative if the second is earlier. */
export function daysBetween(from: DateText, to: DateText): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / DAY_MILLIS)
}

function format(at: Instant, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(lang() === 'zh' ? 'zh-CN' : 'en-GB', { timeZone: ZONE, ...options }).format(at)
}

/** A day as it is said: 今天, 昨天, 11月21日, 2025年3月1日. */
export function sayDay(day: DateText): string {
  const ago = daysBetween(day, todayText())
  if (ago === 0) return t('common.today')
  if (ago === 1) return t('common.yesterday')
  const sameYear = day.slice(0, 4) === todayText().slice(0, 4)
  return format(Date.parse(`${day}T12:00:00+08:00`), {
    month: 'long',
    day: 'numeric',
    ...(sameYear ? {} : { year: 'numeric' }),
  })
}

/** A day with its weekday, as the head of a page. */
export function sayLongDay(day: DateText): string {
  return format(Date.parse(`${day}T12:00:00+08:00`), { month: 'long', day: 'numeric', weekday: 'long' })
}

/** An instant: the day as it is said, and the time. */
export function sayInstant(at: Instant): string {
  return `${sayDay(dayOf(at))} ${format(at, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })}`
}

/** Bytes, honestly and shortly. */
export function sayBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(bytes < 10 * 1024 ? 1 : 0)} KB`
  return `${(bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0)} MB`
}
