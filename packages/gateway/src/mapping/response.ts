/** Response mappings: by status of the integration's answer, headers and the status itself. */
import type { Exchange } from '../exchange.ts'
import type { ResponseHead } from '../integrations/response-head.ts'
import { bodyNeed } from './body-need.ts'
import { readJson } from './json-path.ts'
import { withoutFaults } from './request.ts'
import { isMappableStatus, type Parameters, type Rule, readResponseRules } from './rules.ts'
import { attempt, compileValue, headerBytes, type ReadValue, type Source, type Surroundings } from './values.ts'

/** By status of the integration's answer. */
export type ResponseMappings = ReadonlyMap<number, ResponseMapping>

export interface ResponseMapping {
  /** How much of the body must be read before the head can be written; 0: nothing of it. */
  readonly bodyBytes: number
  /** @param body its beginning, empty when there is none; `isWhole` says whether it ends there */
  apply(exchange: Exchange, head: ResponseHead, body: Buffer, isWhole: boolean): ResponseHead
}

/**
 * @returns `null` when there is nothing to map
 * @throws Error naming each status and key that cannot be executed
 */
export function compileResponseMappings(
  parameters: Readonly<Record<string, Parameters>>,
  surroundings: Surroundings,
): ResponseMappings | null {
  const mappings = new Map<number, ResponseMapping>()
  for (const [status, rules] of Object.entries(parameters)) {
    if (!isMappableStatus(status)) throw new Error(`"${status}" is no status of 200 to 599 to map answers of`)
    const mapping = compileMapping(withoutFaults(readResponseRules(rules)).rules, surroundings)
    if (mapping !== null) mappings.set(Number(status), mapping)
  }
  return mappings.size === 0 ? null : mappings
}

function compileMapping(rules: readonly Rule[], surroundings: Surroundings): ResponseMapping | null {
  if (rules.length === 0) return null
  const headers = rules.filter(({ target }) => target === 'header')
  const dropped = new Set(headers.filter(({ action }) => action !== 'append').map(({ name }) => name))
  const writers = headers
    .filter(({ action }) => action !== 'remove')
    .map(({ name, value }) => ({ name, read: compileValue(value, surroundings) }))
  const status = rules.find(({ target }) => target === 'statuscode')
  const readStatus = status === undefined ? null : compileValue(status.value, surroundings)
  const need = bodyNeed(rules)

  return {
    bodyBytes: need.bytes,
    apply: (exchange, head, body, isWhole) => {
      const isThere = isWhole && body.length > 0
      const source: Source = {
        exchange,
        fields: head.fields,
        path: null,
        text: need.text && isThere ? body.toString('utf8') : null,
        json: need.json && isThere ? readJson(body) : null,
      }
      const fields = head.fields.filter((_, i) => i < 2 || !dropped.has(head.fields[i & ~1]!))
      for (const { name, read } of writers) {
        const bytes = written(read, source)
        if (bytes !== null) fields.push(name, bytes)
      }
      return withStatus({ ...head, fields }, readStatus === null ? undefined : attempt(() => readStatus(source)))
    },
  }
}

// An answer is the upstream's: what of it cannot be a header is left out, like what is not there.
const written = (read: ReadValue, source: Source): string | null => {
  const value = attempt(() => read(source))
  return value === undefined ? null : headerBytes(value)
}

/** Whether answers of this status have no body, whatever their head says (RFC 9112 §6.3). */
export const isBodyless = (status: number): boolean => status === 204 || status === 304

function withStatus(head: ResponseHead, text: string | undefined): ResponseHead {
  // Out of range, the upstream's own stays: a client could read nothing else either.
  if (text === undefined || !/^[2-5]\d\d$/.test(text) || Number(text) === head.status) return head
  const status = Number(text)
  if (!isBodyless(status) && !isBodyless(head.status)) return { ...head, status }
  // The length of a body that is not sent, or of one that never was.
  const fields = head.fields.filter((_, i) => head.fields[i & ~1] !== 'content-length')
  return { ...head, status, fields, length: -1 }
}
