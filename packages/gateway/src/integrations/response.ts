import { type Answer, answers } from '../answers.ts'
import { answer, type Exchange, finish } from '../exchange.ts'
import type { Deadline, Deadlines } from './deadlines.ts'
import type { ResponseHead } from './response-head.ts'
import type { AnswerReader } from './upstream-connection.ts'
import type { Ticket } from './upstream-pool.ts'

export interface Relay extends AnswerReader {
  /** The upstream's side of the exchange, once it is under way. */
  ticket: Ticket | null
}

// Up to this size an answer leaves as one string with its head: one write instead of two, and no copy worth naming.
const oneWriteBytes = 16 * 1024

/** Notes what an upstream answered: before a mapping changes it, and once. */
export function recordAnswer({ integration }: Exchange, head: ResponseHead): void {
  if (integration.status !== 0) return
  integration.latency = Math.round(performance.now() - integration.startedAt)
  integration.status = head.status
  integration.requestId = head.requestId
  integration.requestId2 = head.requestId2
}

/**
 * Passes an upstream's answer to the client of an exchange, with back-pressure, and ends both sides together. From here
 * on `exchange.abandon` stops both, closing when the upstream's answer has begun.
 */
export function relayResponse(exchange: Exchange, deadlines: Deadlines, onFault: (error: unknown) => void): Relay {
  const { response } = exchange
  let isOver = false
  let status = 0
  let fields: string[] = []
  let declared = -1
  let held: string | null = null
  let bytes = 0

  const end = (): void => {
    isOver = true
    deadlines.remove(deadline)
  }
  const abandon = (reply: Answer): void => {
    if (isOver) return
    end()
    relay.ticket?.abort()
    if (response.headersSent) {
      // Half an answer: a closed connection tells the client so, a clean end would hide it.
      response.destroy()
      finish(exchange, status, bytes)
    } else answer(exchange, reply)
  }
  const deadline: Deadline = {
    at: 0,
    earlier: null,
    later: null,
    expire: () => {
      integration.error = 'the integration did not answer in time'
      abandon(answers.integrationTooSlow)
    },
  }
  deadlines.add(deadline)
  const { integration } = exchange
  integration.startedAt = performance.now()
  exchange.abandon = abandon

  response.onGone = () => {
    if (isOver) return
    end()
    relay.ticket?.abort()
    // Logged as it is commonly written, never sent.
    finish(exchange, status || 499, bytes)
  }
  response.onDrain = () => relay.ticket?.resume()

  const relay: Relay = {
    ticket: null,
    onHead: (head) => {
      if (isOver) return
      status = head.status
      recordAnswer(exchange, head)
      declared = head.length
      fields = head.fields
      fields[1] = exchange.id
      if (exchange.cors === null) fields.push(...head.corsFields)
      else fields.push(...exchange.cors)
    },
    onData: (chunk) => {
      if (isOver) return true
      bytes += chunk.length
      if (bytes === declared && chunk.length === bytes && bytes <= oneWriteBytes) {
        held = chunk.toString('latin1')
        return true
      }
      if (!response.headersSent) response.writeHead(status, fields)
      // The chunk's memory is the next read's.
      return response.write(Buffer.from(chunk))
    },
    onEnd: () => {
      if (isOver) return
      // Should it throw, the deadline is still there to answer for the upstream.
      if (!response.headersSent) response.writeHead(status, fields)
      end()
      response.end(held ?? '')
      finish(exchange, status, bytes)
    },
    onError: (error) => {
      if (isOver) return
      integration.error = error instanceof Error ? error.message : String(error)
      onFault(error)
      abandon(answers.integrationUnreachable)
    },
  }
  return relay
}
