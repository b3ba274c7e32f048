/**
 * An environment's own page around the widget of Universal Login. The template is an administrator's; what it shows may
 * come from strangers, so every value is escaped and nothing in a template can undo that. It has no script: the pages'
 * policy lets none run. Its style elements get the page's nonce from the template's text, before any value is in it.
 */
import { Liquid, type Template } from 'liquidjs'
import { LRUCache } from 'lru-cache'

const HEAD = 'widget head'
const WIDGET = 'widget body'

const liquid = new Liquid({
  outputEscape: 'escape',
  strictFilters: true,
  ownPropertyOnly: true,
  // An empty mapping instead of the file system: `include` and `render` find nothing.
  templates: {},
  parseLimit: 100_000,
  renderLimit: 100,
  memoryLimit: 2_000_000,
})
// Escaped all the same: a name must not become markup because a template asked for it.
liquid.registerFilter('raw', (value: unknown) => value)
liquid.registerTag('auth0', {
  parse(token) {
    const part = token.args.trim()
    if (part !== ':head' && part !== ':widget') throw new Error(`unknown tag auth0${part}`)
    this.part = part === ':head' ? HEAD : WIDGET
  },
  render(context, emitter): void {
    // Names with a space cannot be written as a variable of a template.
    emitter.write(String(context.getSync([this.part as string])))
  },
})

const parsed = new LRUCache<string, Template[]>({ max: 200 })

function parse(source: string): Template[] {
  const known = parsed.get(source)
  if (known) return known
  const templates = liquid.parse(source.replace(/<style(?=[\s>])/gi, '<style nonce="{{ nonce }}"'))
  parsed.set(source, templates)
  return templates
}

export interface Framed {
  head: string
  widget: string
  nonce: string
}

/**
 * The page: the widget inside the template.
 *
 * @throws Error when the template does not render within its limits, or not with both parts exactly once
 */
export async function framePage(source: string, { head, widget, nonce }: Framed, variables: object): Promise<string> {
  // Stand-ins that no value can hold; the parts themselves would count against the template's limits.
  const marks = { [HEAD]: `<!--${nonce}:head-->`, [WIDGET]: `<!--${nonce}:widget-->` }
  const page: string = await liquid.render(parse(source), { ...variables, nonce, ...marks })
  for (const mark of Object.values(marks)) {
    if (page.split(mark).length !== 2) throw new Error('the template shows the head or the widget not exactly once')
  }
  return page.replace(marks[HEAD]!, () => head).replace(marks[WIDGET]!, () => widget)
}

/**
 * What stands inside a form of a page, under the same rules as a template.
 *
 * @throws Error when it does not render within its limits
 */
export function renderPartial(source: string, nonce: string, variables: object): Promise<string> {
  if (/\{%-?\s{0,10}auth0/.test(source)) throw new Error('a partial has no head and no widget')
  return liquid.render(parse(source), { ...variables, nonce })
}

/** @returns what is wrong with a template, or undefined */
export async function refuseTemplate(source: string): Promise<string | undefined> {
  for (const part of ['head', 'widget']) {
    if (!new RegExp(`\\{%-?\\s{0,10}auth0:${part}\\s{0,10}-?%\\}`).test(source))
      return `must contain {%- auth0:${part} -%}`
  }
  try {
    await framePage(source, { head: '', widget: '', nonce: 'nonce' }, {})
  } catch (error) {
    return `is not a template that renders: ${(error as Error).message.slice(0, 300)}`
  }
  return undefined
}

/** Whether a template brings a script, which would not run. */
export const bringsScript = (source: string): boolean => /<script[\s>/]/i.test(source)
