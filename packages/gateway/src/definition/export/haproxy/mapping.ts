import type { Api } from '../../../api.ts'
import type { Expression, Part } from '../../../mapping/expression.ts'
import { foldName, type Rule, readRequestRules, readResponseRules } from '../../../mapping/rules.ts'
import { parameterVariable } from './backend.ts'
import { claimFetch } from './jwt.ts'
import type { Features } from './report.ts'
import type { NamedRoute } from './routing.ts'
import { literal, word } from './words.ts'

type Parameters = Readonly<Record<string, string>>

/** Request mappings: all values are read first, then names are taken away, then values are put in. */
export function requestMappingRules(api: Api, route: NamedRoute, parameters: Parameters, features: Features): string[] {
  const read: string[] = []
  const write: string[] = []
  for (const [index, rule] of readRequestRules(parameters).rules.entries()) {
    const refuse = (reason: string): void =>
      features.refuse(route.key, 'parameter mapping', `${rule.action}:${rule.target}.${rule.name}: ${reason}`)
    if (rule.target === 'querystring' && rule.action !== 'append') {
      refuse('a parameter cannot be taken out of a query in all its spellings')
      continue
    }
    if (rule.target === 'header' && rule.action !== 'append') write.push(removal(rule))
    if (rule.action === 'remove') {
      features.exact(route.key, 'parameter mapping')
      continue
    }
    const value = writeValue(rule.value, api, route, 'request')
    if (typeof value === 'string') {
      refuse(value)
      continue
    }
    if (rule.target === 'path' && rule.value.some(({ kind }) => kind === 'header' || kind === 'querystring')) {
      refuse('what a client sends cannot become a path without being encoded')
      continue
    }
    const name = `txn.m${index}`
    read.push(
      value.fetch === null
        ? `http-request set-var-fmt(${name}) ${word(value.format)}`
        : `http-request set-var(${name}) ${word(value.fetch)}`,
    )
    write.push(
      ...put(
        rule,
        name,
        rule.value.some(({ kind }) => kind === 'context'),
      ),
    )
    const isClaim = rule.value.some((part) => part.kind === 'context' && part.name.startsWith('authorizer.claims.'))
    if (isClaim)
      features.approximate(
        route.key,
        'claims to headers',
        'lists and objects are left out; only texts, numbers and truth values travel',
      )
    else features.exact(route.key, 'parameter mapping')
  }
  return [...read, ...write]
}

function put(rule: Rule, variable: string, isVerified: boolean): string[] {
  const found = `{ var(${variable}) -m len gt 0 }`
  const value = `%[var(${variable})]`
  if (rule.target === 'path') return [`http-request set-path ${word(value)}`]
  if (rule.target === 'querystring') {
    const pair = `${literal(rule.name)}=%[var(${variable}),url_enc(query)]`
    return [
      `http-request set-query ${word(`%[query]&${pair}`)} if ${found} { query -m len gt 0 }`,
      `http-request set-query ${word(pair)} if ${found} !{ query -m len gt 0 }`,
    ]
  }
  if (rule.action === 'overwrite') return [`http-request set-header ${word(rule.name)} ${word(value)} if ${found}`]
  // A client's own value would stand for the verified one that is not there.
  const drop = isVerified ? [`${removal(rule)} if !${found}`] : []
  return [...drop, `http-request add-header ${word(rule.name)} ${word(value)} if ${found}`]
}

/** Takes a header away under every name that some server reads as the same. */
const removal = ({ name }: Rule): string => {
  if (name === 'host') return 'http-request del-header host'
  const pattern = [...foldName(name)].map((char) => (char === '-' ? '[^a-z0-9]' : char)).join('')
  return `http-request del-header ${word(`^${pattern}$`)} -m reg`
}

/** Response mappings, by the status of the integration's answer. */
export function responseMappingRules(
  api: Api,
  route: NamedRoute,
  byStatus: Readonly<Record<string, Parameters>>,
  features: Features,
): string[] {
  const lines: string[] = []
  for (const [status, parameters] of Object.entries(byStatus)) {
    const { rules } = readResponseRules(parameters)
    const condition = `{ var(txn.integration) -m int ${status} }`
    const values: string[] = []
    const writes: string[] = []
    for (const [index, rule] of rules.entries()) {
      const value =
        rule.action === 'remove' ? { fetch: null, format: '' } : writeValue(rule.value, api, route, 'response')
      const isText = rule.value.every(({ kind }) => kind === 'text' || kind === 'stageVariable')
      if (typeof value === 'string' || (rule.target === 'statuscode' && !isText)) {
        const reason = typeof value === 'string' ? value : 'a status must stand in the configuration'
        features.refuse(route.key, 'response parameter mapping', `${status}: ${reason}`)
        continue
      }
      features.exact(route.key, 'response parameter mapping')
      if (rule.target === 'statuscode') {
        writes.push(`http-response set-status ${value.format} if ${condition}`)
        continue
      }
      if (rule.action !== 'append') writes.push(`http-response del-header ${word(rule.name)} if ${condition}`)
      if (rule.action === 'remove') continue
      const name = `txn.s${status}x${index}`
      values.push(`http-response set-var-fmt(${name}) ${word(value.format)} if ${condition}`)
      writes.push(
        `http-response add-header ${word(rule.name)} ${word(`%[var(${name})]`)} if ${condition} { var(${name}) -m len gt 0 }`,
      )
    }
    lines.push(...values, ...writes)
  }
  return lines.length === 0 ? [] : ['http-response set-var(txn.integration) status', ...lines]
}

/** A value as a format; `fetch` when it is one variable, whose absence shows. Or the reason why it is neither. */
function writeValue(
  value: Expression,
  api: Api,
  route: NamedRoute,
  origin: 'request' | 'response',
): { readonly fetch: string | null; readonly format: string } | string {
  const parts = value.map((part) => partOf(part, api, route, origin))
  const fault = parts.find((part) => typeof part === 'string')
  if (fault !== undefined) return fault as string
  const read = parts as readonly ({ text: string } | { fetch: string })[]
  const [only] = read
  const format = read.map((part) => ('text' in part ? literal(part.text) : `%[${part.fetch}]`)).join('')
  return { fetch: read.length === 1 && only !== undefined && 'fetch' in only ? only.fetch : null, format }
}

function partOf(
  part: Part,
  api: Api,
  route: NamedRoute,
  origin: 'request' | 'response',
): { text: string } | { fetch: string } | string {
  switch (part.kind) {
    case 'text':
      return { text: part.text }
    case 'stageVariable':
      return { text: api.stage.variables[part.name] ?? '' }
    case 'header':
      return { fetch: origin === 'request' ? `req.hdr(${part.name})` : `res.hdr(${part.name})` }
    case 'querystring':
      return /^[\w.-]+$/.test(part.name)
        ? { fetch: `url_param(${part.name}),url_dec` }
        : 'the name holds other characters'
    case 'path':
      return { fetch: 'var(txn.path)' }
    case 'parameter': {
      const fetch = parameterVariable(route, part.name)
      return fetch === null ? `the path has no "${part.name}"` : { fetch: `${fetch},url_dec` }
    }
    case 'context':
      return contextOf(part.name, api, route)
    default:
      return 'bodies are not read'
  }
}

function contextOf(name: string, api: Api, route: NamedRoute): { text: string } | { fetch: string } | string {
  const texts: Readonly<Record<string, string>> = {
    accountId: api.accountId,
    apiId: api.id,
    protocol: 'HTTP/1.1',
    routeKey: route.key,
    stage: api.stage.name,
  }
  const fetches: Readonly<Record<string, string>> = {
    domainName: 'var(txn.host)',
    httpMethod: 'var(txn.method)',
    'identity.sourceIp': 'src',
    'identity.userAgent': 'req.fhdr(user-agent)',
    requestId: 'unique-id',
    extendedRequestId: 'unique-id',
  }
  if (Object.hasOwn(texts, name)) return { text: texts[name]! }
  if (Object.hasOwn(fetches, name)) return { fetch: fetches[name]! }
  const claim = /^authorizer\.claims\.(.+)$/.exec(name)?.[1]
  const fetch = claim === undefined || route.authorization.type !== 'JWT' ? null : claimFetch(claim)
  if (fetch !== null) return { fetch }
  if (claim !== undefined) return `the claim "${claim}" cannot be asked for by its name`
  return `"$context.${name}" is not known there`
}
