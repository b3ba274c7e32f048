/**
 * A stage's format of its access log: one line of text with `$context` variables, compiled once. Whether it is JSON, XML
 * or columns is read from the text itself, as AWS's examples are written; it decides how values are escaped.
 */
import { compileContext, isGateways, type ReadContext } from '../context.ts'
import type { Exchange } from '../exchange.ts'
import { asJsonValue, type Escape, inColumns, inJsonString, inXml } from './escape.ts'

export interface AccessLogFormat {
  /** The entry of an answered request, without a line break. */
  line(exchange: Exchange): string
  /** Variables that have no value here, whatever the request. */
  readonly warnings: readonly string[]
}

export const templateBytes = 3_072
export const entryBytes = 1_048_576

/** What the gateway writes for a stage that names no format. */
export const defaultFormat =
  '{"id":"$context.requestId","ip":"$context.identity.sourceIp","at":"$context.requestTime",' +
  '"route":"$context.routeKey","status":$context.status,"bytes":$context.responseLength,' +
  '"auth":"$context.authorizer.error"}'

/** Returns what is wrong with a format, or `null`. */
export function accessLogFault(template: string): string | null {
  if (Buffer.byteLength(template) > templateBytes) return `it is longer than ${templateBytes} bytes`
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being refused
  if (/[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]/.test(template.trim())) return 'it must be a single line'
  return variablesOf(template).some(({ name }) => /^(?:extendedR|r)equestId$/.test(name))
    ? null
    : 'it must contain $context.requestId, so that an entry can be found again'
}

interface Part {
  /** The text before the value. */
  readonly text: string
  readonly read: ReadContext
  readonly write: Escape
  readonly absent: string
}

/** @throws Error when `accessLogFault` finds one */
export function compileAccessLog(source: string): AccessLogFormat {
  const fault = accessLogFault(source)
  if (fault !== null) throw new Error(`the format of the access log cannot be used: ${fault}`)
  const template = source.trim()
  const variables = variablesOf(template)
  const escapeAt = escapesOf(template, variables)
  const warnings: string[] = []
  let end = 0
  const parts = variables.map(({ name, at, length }): Part => {
    const write = escapeAt(at)
    // Between quotes of its own where JSON wants a value, which that one brings with it.
    const wanted = name === 'error.messageString' && write === asJsonValue ? 'error.message' : name
    const known = compileContext(wanted)
    if (known === null) warnings.push(`$context.${name} is no variable of an HTTP API; it prints "-"`)
    const text = template.slice(end, at)
    end = at + length
    const isPlain = isGateways(name) && write !== asJsonValue
    return { text, read: known ?? nothing, write: isPlain ? asIs : write, absent: write('-') }
  })
  const tail = template.slice(end)

  const render = (exchange: Exchange, longest: number): string => {
    let line = ''
    for (const { text, read, write, absent } of parts) {
      const value = read(exchange)
      line += text
      line +=
        value === undefined || value === '' ? absent : write(value.length > longest ? value.slice(0, longest) : value)
    }
    return line + tail
  }
  // No character is written with more than six: with values this short an entry is never too long.
  const shortest = Math.floor((entryBytes - templateBytes) / 6 / parts.length)
  return {
    warnings,
    line: (exchange) => {
      const line = render(exchange, Number.POSITIVE_INFINITY)
      // A line that was cut would be no JSON any more; its values are.
      return line.length * 3 > entryBytes && Buffer.byteLength(line) > entryBytes ? render(exchange, shortest) : line
    },
  }
}

const nothing: ReadContext = () => undefined
const asIs: Escape = (value) => value

interface Variable {
  readonly name: string
  readonly at: number
  readonly length: number
}

// Names of claims and of an authorizer's keys are the issuer's and the function's to choose; a hyphen behind any other
// name is text.
const variable = /\$context\.(authorizer\.[A-Za-z0-9_:/-]+(?:\.[A-Za-z0-9_:/-]+)*|[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)*)/g

const variablesOf = (template: string): readonly Variable[] =>
  [...template.matchAll(variable)].map(({ 0: whole, 1: matched, index }) => {
    const name = matched!.replace(/(?<![-:/])[-:/]+$/, '')
    return { name, at: index, length: whole.length - matched!.length + name.length }
  })

const structural = ' \t,;|="\'[](){}<>&'

/** How values are escaped at each place of the template. */
function escapesOf(template: string, variables: readonly Variable[]): (at: number) => Escape {
  if (/^<.*>$/.test(template)) return () => inXml
  const inQuotes = quotesOf(template)
  if (/^\{.*\}$/.test(template)) return (at) => (inQuotes(at) ? inJsonString : asJsonValue)
  const ends = [0, ...variables.map(({ at, length }) => at + length)]
  const starts = [...variables.map(({ at }) => at), template.length]
  const text = ends.map((end, i) => template.slice(end, starts[i])).join('')
  const used = [...structural].filter((mark) => text.includes(mark)).join('')
  const [bare, quoted, bracketed] = [inColumns(`${used}"`), inColumns('"'), inColumns(']"')]
  return (at) => {
    if (inQuotes(at)) return quoted
    const before = template.slice(0, at)
    return before.lastIndexOf('[') > before.lastIndexOf(']') ? bracketed : bare
  }
}

function quotesOf(template: string): (at: number) => boolean {
  return (at) => {
    let isOpen = false
    for (let i = 0; i < at; i++) {
      if (template[i] === '\\') i++
      else if (template[i] === '"') isOpen = !isOpen
    }
    return isOpen
  }
}
