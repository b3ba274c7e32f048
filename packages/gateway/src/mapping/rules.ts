/**
 * Reads `requestParameters` and `responseParameters`: keys such as `overwrite:header.x`, values as in `expression.ts`.
 * What is found here is found when a definition is written; the data plane compiles only rules without faults.
 */
import { type Expression, type Origin, parseExpression } from './expression.ts'
import { headerFault } from './reserved-headers.ts'
import { control } from './values.ts'

export interface Rule {
  readonly action: 'append' | 'overwrite' | 'remove'
  readonly target: 'header' | 'querystring' | 'path' | 'statuscode'
  /** Header names in lower case; empty for path and status code. */
  readonly name: string
  /** Empty for removals, whose value says nothing. */
  readonly value: Expression
}

export interface Rules {
  readonly rules: readonly Rule[]
  /** What cannot be executed. */
  readonly faults: readonly MappingFinding[]
  /** What can be, and is hardly meant. */
  readonly warnings: readonly MappingFinding[]
}

export interface MappingFinding {
  /** Of the mapping, such as `append:header.x-trace`. */
  readonly key: string
  readonly message: string
}

export type Parameters = Readonly<Record<string, string>>

/** Reads the request mappings of an integration. */
export const readRequestRules = (parameters: Parameters): Rules => readRules(parameters, 'request')

/** Reads the response mappings of one status. */
export const readResponseRules = (parameters: Parameters): Rules => readRules(parameters, 'response')

/** Whether response mappings can be set for a status: 200 to 599. */
export const isMappableStatus = (status: string): boolean => /^[2-5]\d\d$/.test(status)

const keys: Readonly<Record<Origin, string>> = {
  request: 'must be "overwrite:path", or append, overwrite or remove with ":" and header or querystring and a name',
  response: 'must be "overwrite:statuscode", or append, overwrite or remove with ":" and header and a name',
}

const key = /^(append|overwrite|remove):(?:(header|querystring)\.(.+)|(path|statuscode))$/

function readRules(parameters: Parameters, origin: Origin): Rules {
  const rules: Rule[] = []
  const faults: MappingFinding[] = []
  const warnings: MappingFinding[] = []
  for (const [text, value] of Object.entries(parameters)) {
    const rule = readRule(text, value, origin)
    if (typeof rule === 'string') {
      faults.push({ key: text, message: rule })
      continue
    }
    const twin = rules.find((other) => isTwin(other, rule))
    if (twin !== undefined) {
      faults.push({ key: text, message: `servers may take "${rule.name}" and "${twin.name}" for one name` })
    }
    if (origin === 'request' && rule.action === 'append' && isVerified(rule.value)) {
      const message = 'the value that a client sends stays in front of the appended one; "overwrite" would replace it'
      warnings.push({ key: text, message })
    }
    rules.push(rule)
  }
  return { rules, faults, warnings }
}

function readRule(text: string, value: string, origin: Origin): Rule | string {
  const match = key.exec(text)
  if (match === null) return keys[origin]
  const action = match[1] as Rule['action']
  const target = (match[2] ?? match[4]) as Rule['target']
  const name = target === 'header' ? match[3]!.toLowerCase() : (match[3] ?? '')
  const isOfOrigin = target === 'header' || (target === 'statuscode') === (origin === 'response')
  if (!isOfOrigin) return keys[origin]
  if (match[4] !== undefined && action !== 'overwrite') return keys[origin]
  if (target === 'header') {
    const fault = headerFault(name)
    if (fault !== null) return fault
    if (name === 'host' && action !== 'overwrite') return '"host" can only be overwritten'
  }
  if (control.test(name) || control.test(value)) return 'holds control characters'
  if (action === 'remove') return { action, target, name, value: [] }
  if (value === '') return 'has an empty value, which maps nothing: leave the key out'
  const parsed = parseExpression(value, origin)
  if (target === 'statuscode' && typeof parsed !== 'string' && parsed.every(({ kind }) => kind === 'text')) {
    if (!isMappableStatus(value)) return `"${value}" is not a status from 200 to 599`
  }
  return typeof parsed === 'string' ? parsed : { action, target, name, value: parsed }
}

/** One name for all that some server reads as the same: CGI makes one variable of `x-org-id`, `X_Org_Id`, `x.org.id`. */
export function foldName(name: string): string {
  const known = folds.get(name)
  if (known !== undefined) return known
  const folded = name.toLowerCase().replace(/[^a-z0-9]/g, '-')
  if (folds.size < foldsKept && name.length <= foldedLength) folds.set(name, folded)
  return folded
}

// The same few names come with every request, and folding them anew is a third of what a mapping costs. Clients choose
// names, so neither their number nor their length may grow.
const folds = new Map<string, string>()
const foldsKept = 1_000
const foldedLength = 64

const isTwin = (a: Rule, b: Rule): boolean =>
  a.target === b.target && a.name !== b.name && foldName(a.name) === foldName(b.name)

/** Whether a value says something about the request that the gateway found out itself. */
export const isVerified = (value: Expression): boolean => value.some(({ kind }) => kind === 'context')
