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

/** A page of this folder, made like mail: data only, escaped. */
export function page(name: string): (data: object) => Promise<string> {
  const template = html.parse(read(name))
  return (data) => html.render(template, data)
}
