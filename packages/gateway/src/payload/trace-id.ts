import { randomBytes } from 'node:crypto'
import type { Exchange } from '../exchange.ts'

/**
 * The value for `x-amzn-trace-id` of a request, in X-Ray's form: version, seconds since 1970, 96 random bits. Every
 * function that is told of the request is told the same.
 */
export function traceIdOf(exchange: Exchange): string {
  if (exchange.traceId === '') exchange.traceId = createTraceId(exchange.receivedAt)
  return exchange.traceId
}

/** @param at milliseconds since 1970 */
export const createTraceId = (at: number): string =>
  `Root=1-${Math.floor(at / 1000).toString(16)}-${randomBytes(12).toString('hex')}`
