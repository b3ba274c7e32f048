/**
 * Mail from Liquid templates. A template sees the data it is given and nothing else: no files, no inherited properties,
 * bounded work. In HTML every output is escaped unless the template itself says `raw`; text given as data is never
 * parsed as a template.
 */
import { readFileSync } from 'node:fs'
import { Liquid, type LiquidOptions } from 'liquidjs'

const LIMITS: LiquidOptions = {
  strictFilters: true,
  strictVariables: true,
  ownPropertyOnly: true,
  // An empty mapping instead of the file system: `include` and `render` find nothing.
  templates: {},
  parseLimit: 200_000,
  renderLimit: 1000,
  memoryLimit: 10_000_000,
}
const html = new Liquid({ ...LIMITS, outputEscape: 'escape' })
const text = new Liquid(LIMITS)

const read = (name: string) => readFileSync(new URL(`./templates/${name}.liquid`, import.meta.url), 'utf8')

const load = (name: string) => ({ html: html.parse(read(name)), text: text.parse(read(`${name}.text`)) })

const TEMPLATES = {
  organization_invitation: load('organization_invitation'),
}
export type TemplateName = keyof typeof TEMPLATES

export async function render(name: TemplateName, data: object): Promise<{ html: string; text: string }> {
  const template = TEMPLATES[name]
  return { html: await html.render(template.html, data), text: await text.render(template.text, data) }
}

/**
 * A name as text that no mail program turns into a link: an invisible joiner (U+2060) breaks what looks like an address.
 * Names come from strangers, and a mail with our sender must not carry their links.
 */
export const inert = (name: string): string =>
  name
    .replace(/[\p{Cc}\p{Bidi_Control}]+/gu, ' ')
    .trim()
    .replace(/[.:/@](?=\S)/g, '$&\u2060')

/** The letters on an organization's tile: of its first two words, or the first two of its only one. */
export function initials(name: string): string {
  const words = name.split(/[\s_.-]+/).filter((word) => /[\p{L}\p{N}]/u.test(word))
  const letters = words.length > 1 ? words.slice(0, 2).map((word) => [...word][0]) : [...(words[0] ?? name)].slice(0, 2)
  return letters.join('').toUpperCase()
}

/** Dates written out, in UTC, since a mail does not know its reader's zone: `Friday, 27 November 2026, 15:40 UTC`. */
export function writtenOut(date: Date): { day: string; full: string } {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: 'UTC',
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  const part = Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, value]))
  const day = `${part.weekday}, ${part.day} ${part.month}`
  return { day, full: `${day} ${part.year}, ${part.hour}:${part.minute} UTC` }
}
