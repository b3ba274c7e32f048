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
  // A heading, a sentence and one button.
  action: load('action'),
  // A heading and what happened: nothing to press.
  notice: load('notice'),
  // A heading, a sentence and a code to type.
  code: load('code'),
}
export type TemplateName = keyof typeof TEMPLATES

export async function render(name: TemplateName, data: object): Promise<{ html: string; text: string }> {
  const template = TEMPLATES[name]
  return { html: await html.render(template.html, data), text: await text.render(template.text, data) }
}

/**
 * Templates that an administrator wrote. Variables that are not there are empty, as at Auth0; what a mail shows comes
 * from strangers, so in HTML every value is escaped and `raw` cannot undo that.
 */
const WRITTEN: LiquidOptions = {
  ...LIMITS,
  strictVariables: false,
  parseLimit: 100_000,
  renderLimit: 200,
  memoryLimit: 5_000_000,
}
const written = { html: new Liquid({ ...WRITTEN, outputEscape: 'escape' }), text: new Liquid(WRITTEN) }
written.html.registerFilter('raw', (value: unknown) => value)

/** @throws Error (liquidjs) that names line and column, or the limit that was reached */
export const renderWritten = async (form: 'html' | 'text', source: string, data: object): Promise<string> =>
  written[form].parseAndRender(source, data)

/** The words of an HTML mail, for readers without HTML; the address it is about stands in it for certain. */
export function plainText(markup: string, url: string): string {
  let hidden: string | undefined
  let words = ''
  // Odd pieces are tags. Pieces end at the next angle bracket, so this is linear whatever somebody writes.
  for (const [index, piece] of markup.split(/(<[^<>]*>)/).entries()) {
    const tag = index % 2 === 1 ? /^<(\/?)([a-z]\w*)/i.exec(piece) : undefined
    if (index % 2 === 0) words += hidden ? '' : piece
    else if (tag && hidden) hidden = tag[1] && tag[2]!.toLowerCase() === hidden ? undefined : hidden
    else if (tag && UNREAD.has(tag[2]!.toLowerCase())) hidden = tag[1] ? undefined : tag[2]!.toLowerCase()
    else if (tag && BREAKING.test(tag[2]!)) words += '\n'
  }
  words = words
    .replace(/&(?:nbsp|lt|gt|quot|#39|#34|amp);/g, (entity) => ENTITIES[entity] ?? entity)
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter(Boolean)
    .join('\n\n')
  return words.includes(url) ? words : `${words}\n\n${url}`.trim()
}

const UNREAD = new Set(['head', 'style', 'script', 'title'])
const BREAKING = /^(br|p|h\d|tr|td|div|li|table)$/i

const ENTITIES: Record<string, string> = {
  '&nbsp;': ' ',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#34;': '"',
  '&#39;': "'",
  '&amp;': '&',
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

/** A page of this folder, made like mail: data only, escaped. */
export function page(name: string): (data: object) => Promise<string> {
  const template = html.parse(read(name))
  return (data) => html.render(template, data)
}
