/**
 * The two payload formats between the gateway and functions: a request becomes an event, and what the function returns
 * becomes an answer. Pure functions; their golden files stand in `testdata/events` and `testdata/answers`, each marked
 * with how sure it is that AWS does exactly this.
 */
import type { Call } from '../exchange.ts'
import { event1 } from './event-1.ts'
import { event2 } from './event-2.ts'

export type PayloadFormat = '1.0' | '2.0'

/**
 * Writes the event of a proxy integration, as JSON text.
 *
 * @param body `null` when the request has none
 * @param traceId value of `x-amzn-trace-id`
 */
export const writeEvent = (format: PayloadFormat, call: Call, body: Buffer | null, traceId: string): string =>
  JSON.stringify((format === '1.0' ? event1 : event2)(call, body, traceId))
