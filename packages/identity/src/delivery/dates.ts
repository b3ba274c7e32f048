/** Dates as people read them: written out, in UTC, since a mail or a page made on a server does not know its reader's zone. */
const DAY = { timeZone: 'UTC', weekday: 'long', day: 'numeric', month: 'long' } as const
const MOMENT = {
  timeZone: 'UTC',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
} as const
const format = new Intl.DateTimeFormat('en-GB', { ...DAY, ...MOMENT })

// Put together from parts: whether commas stand between them changes with the version of the locale data.
const partsOf = (date: Date) => Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, value]))

/** `Friday, 27 November 2026, 15:40 UTC` */
export function longDate(date: Date): string {
  const { weekday, day, month, year, hour, minute } = partsOf(date)
  return `${weekday}, ${day} ${month} ${year}, ${hour}:${minute} UTC`
}

/** `27 November 2026, 15:40:09 UTC`, to find a log entry by */
export function exactDate(date: Date, language = 'en'): string {
  if (language !== 'en') return `${new Intl.DateTimeFormat(language, MOMENT).format(date)} UTC`
  const { day, month, year, hour, minute, second } = partsOf(date)
  return `${day} ${month} ${year}, ${hour}:${minute}:${second} UTC`
}

/** `Friday, 27 November` */
export function shortDate(date: Date, language = 'en'): string {
  if (language !== 'en') return new Intl.DateTimeFormat(language, DAY).format(date)
  const { weekday, day, month } = partsOf(date)
  return `${weekday}, ${day} ${month}`
}
