/**
 * Request mappings. All values are read from the request as the client sent it, then names are taken away, then values
 * are put in. The rule that matters: a name that is overwritten belongs to the gateway. Whatever a client sends under
 * it, or under a name that some server takes for the same, is dropped, also when there is no value to put in its place;
 * else `x-org-id` from a claim could be forged by whoever has no such claim.
 */
import { type Answer, answers } from '../answers.ts'
import { limits } from '../api.ts'
import type { Call } from '../exchange.ts'
import type { Head } from '../head.ts'
import { isHost } from '../tls/domain.ts'
import { bodyNeed } from './body-need.ts'
import { readJson } from './json-path.ts'
import { compilePath } from './request-path.ts'
import { foldName, isVerified, type Parameters, type Rule, type Rules, readRequestRules } from './rules.ts'
import { attempt, compileValue, headerBytes, type ReadValue, type Source, type Surroundings } from './values.ts'

export interface RequestMapping {
  /** How much of the body must be read before the request can be mapped; 0: nothing of it. */
  readonly bodyBytes: number
  /**
   * @param body its beginning, `null` when the request has none; `isWhole` says whether it ends there
   * @returns what to send, or the refusal of a request that cannot be mapped
   */
  apply(call: Call, body: Buffer | null, isWhole: boolean): MappedRequest | Answer
}

/** A request as the integration is to see it. */
export interface MappedRequest {
  /** `name, value …`, nothing in it claimed by `Connection`. */
  readonly fields: readonly string[]
  readonly query: string
  /** Canonical; `null`: as the integration says. */
  readonly path: string | null
  /** Value of `host`; `null`: as the integration says. */
  readonly host: string | null
}

export const isMapped = (result: MappedRequest | Answer): result is MappedRequest => 'fields' in result

interface Writer {
  readonly name: string
  readonly read: ReadValue
  /** A client's own value goes when there is none to append, because it would stand for a verified one. */
  readonly isVerified: boolean
}

/**
 * @returns `null` when there is nothing to map
 * @throws Error naming each key that cannot be executed
 */
export function compileRequestMapping(parameters: Parameters, surroundings: Surroundings): RequestMapping | null {
  const { rules } = withoutFaults(readRequestRules(parameters))
  if (rules.length === 0) return null
  const headers = compileNames(
    rules.filter(({ target, name }) => target === 'header' && name !== 'host'),
    surroundings,
  )
  const queries = compileNames(
    rules.filter(({ target }) => target === 'querystring'),
    surroundings,
  )
  const path = rules.find(({ target }) => target === 'path')
  const writePath = path === undefined ? null : compilePath(path.value, surroundings)
  const host = rules.find(({ name, target }) => target === 'header' && name === 'host')
  const readHost = host === undefined ? null : compileValue(host.value, surroundings)
  const need = bodyNeed(rules)

  return {
    bodyBytes: need.bytes,
    apply: (call, body, isWhole) => {
      const json = body === null || !need.json || !isWhole ? null : readJson(body)
      if (need.json && body !== null && json === null) return answers.malformed
      if (need.text && !isWhole) return answers.headTooLarge
      const source: Source = {
        exchange: call,
        fields: withoutClaimed(call.head),
        path: call.path,
        text: body === null ? null : body.toString('utf8'),
        json,
      }
      const mapped = attempt(() => ({
        fields: mapHeaders(source, headers),
        query: mapQuery(source, call.path.query, queries),
        path: writePath?.(source) ?? null,
        host: readHost?.(source) ?? null,
      }))
      if (mapped === undefined) return answers.malformed
      const { fields, host, path, query } = mapped
      if (fields === null || query === null || path === '' || (host !== null && !isHost(host))) {
        return answers.malformed
      }
      return isTooLong(fields, query, path) ? answers.headTooLarge : { fields, query, path, host }
    },
  }
}

export type CompileRequestMapping = typeof compileRequestMapping

/**
 * Compiles a mapping once for all routes of an API that have the same. Of three hundred routes each would otherwise have
 * its own, and a request would find none of it in the processor's caches: 1 µs of 27.
 */
export function shareRequestMappings(): CompileRequestMapping {
  const compiled = new Map<string, RequestMapping | null>()
  return (parameters, surroundings) => {
    // Only these mean another thing on another route.
    const readsPath = Object.values(parameters).some((value) => value.includes('request.path'))
    const key = JSON.stringify([parameters, readsPath ? surroundings.segments : null])
    const known = compiled.get(key)
    if (known !== undefined) return known
    const mapping = compileRequestMapping(parameters, surroundings)
    compiled.set(key, mapping)
    return mapping
  }
}

export function withoutFaults(rules: Rules): Rules {
  const faults = rules.faults.map(({ key, message }) => `"${key}": ${message}`)
  if (faults.length > 0) throw new Error(`the parameter mapping cannot be used: ${faults.join('; ')}`)
  return rules
}

interface Names {
  /** By folded name: the spelling that may stay, `null` when none may. */
  readonly guarded: ReadonlyMap<string, string | null>
  readonly overwrites: readonly Writer[]
  readonly appends: readonly Writer[]
}

function compileNames(rules: readonly Rule[], surroundings: Surroundings): Names {
  const writers = (action: Rule['action']): Writer[] =>
    rules
      .filter((rule) => rule.action === action)
      .map(({ name, value }) => ({ name, read: compileValue(value, surroundings), isVerified: isVerified(value) }))
  const owned = new Set(rules.filter(({ action }) => action !== 'append').map(({ name }) => foldName(name)))
  return {
    guarded: new Map(rules.map(({ name }) => [foldName(name), owned.has(foldName(name)) ? null : name])),
    overwrites: writers('overwrite'),
    appends: writers('append'),
  }
}

interface Written {
  readonly name: string
  readonly value: string
}

/** Reads what is to be written, and whose verified value is absent: those folded names must not stay. */
function readWriters({ overwrites, appends }: Names, source: Source, written: Written[]): ReadonlySet<string> | null {
  let dropped: Set<string> | null = null
  for (const { name, read } of overwrites) {
    const value = read(source)
    if (value !== undefined) written.push({ name, value })
  }
  for (const { name, read, isVerified } of appends) {
    const value = read(source)
    if (value !== undefined) written.push({ name, value })
    else if (isVerified) {
      dropped ??= new Set()
      dropped.add(foldName(name))
    }
  }
  return dropped
}

function mayStay(name: string, { guarded }: Names, dropped: ReadonlySet<string> | null): boolean {
  const folded = foldName(name)
  const allowed = guarded.get(folded)
  return (allowed === undefined || allowed === name) && dropped?.has(folded) !== true
}

function mapHeaders(source: Source, names: Names): readonly string[] | null {
  if (names.guarded.size === 0) return source.fields
  const written: Written[] = []
  const dropped = readWriters(names, source, written)
  const fields: string[] = []
  for (let i = 0; i < source.fields.length; i += 2) {
    const name = source.fields[i]!
    if (mayStay(name, names, dropped)) fields.push(name, source.fields[i + 1]!)
  }
  for (const { name, value } of written) {
    const bytes = headerBytes(value)
    if (bytes === null) return null
    fields.push(name, bytes)
  }
  return fields
}

function mapQuery(source: Source, query: string, names: Names): string | null {
  if (names.guarded.size === 0) return query
  const written: Written[] = []
  const dropped = readWriters(names, source, written)
  const isKept = (piece: string): boolean =>
    // Some servers end a parameter at `;` too.
    piece.split(';').every((part) => mayStay(decodeName(part), names, dropped))
  const kept = query === '' ? [] : query.split('&').filter(isKept)
  if (written.some(({ value }) => !value.isWellFormed())) return null
  const added = written.map(({ name, value }) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
  return [...kept, ...added].join('&')
}

// `a[]` and `a[x]` add to `a` in PHP, Rails and qs; bytes that are no UTF-8 are read by somebody nevertheless.
const decodeName = (piece: string): string =>
  Buffer.from(
    piece
      .split('=', 1)[0]!
      .replaceAll('+', ' ')
      .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
    .toString('utf8')
    .replace(/^ +/, '')
    .split(/[[\0]/, 1)[0]!

// Hop-by-hop headers end here before anything is read or added: none of them is the client's word to the upstream.
function withoutClaimed({ connectionNames, fields }: Head): readonly string[] {
  return connectionNames.length === 0 ? fields : fields.filter((_, i) => !connectionNames.includes(fields[i & ~1]!))
}

// What clients may not send is not made of what they sent either.
function isTooLong(fields: readonly string[], query: string, path: string | null): boolean {
  let bytes = query.length + (path?.length ?? 0)
  for (let i = 1; i < fields.length; i += 2) bytes += fields[i]!.length
  return bytes > limits.headBytes
}
