import type { Exchange } from '../exchange.ts'
import { recordAnswer } from '../integrations/response.ts'
import type { ResponseHead } from '../integrations/response-head.ts'
import type { AnswerReader } from '../integrations/upstream-connection.ts'
import { isBodyless, type ResponseMapping, type ResponseMappings } from './response.ts'

/** An answer whose head waits for the beginning of its body. */
interface Held {
  readonly mapping: ResponseMapping
  readonly head: ResponseHead
  readonly chunks: Buffer[]
  bytes: number
}

/** Maps answers on their way to a reader. Only answers that are mapped by their body are held back, and only that far. */
export function mapAnswer(reader: AnswerReader, exchange: Exchange, mappings: ResponseMappings): AnswerReader {
  let held: Held | null = null
  let isSilenced = false

  const begin = (head: ResponseHead, original: ResponseHead): void => {
    isSilenced = isBodyless(head.status) && !isBodyless(original.status)
    reader.onHead(head)
  }
  const release = (isWhole: boolean): boolean => {
    if (held === null) return true
    const { mapping, head, chunks } = held
    held = null
    const body = Buffer.concat(chunks)
    begin(mapping.apply(exchange, head, body, isWhole), head)
    return body.length === 0 || isSilenced || reader.onData(body)
  }

  return {
    onHead: (head) => {
      recordAnswer(exchange, head)
      const mapping = mappings.get(head.status)
      if (mapping === undefined) reader.onHead(head)
      else if (mapping.bodyBytes === 0) begin(mapping.apply(exchange, head, empty, true), head)
      else held = { mapping, head, chunks: [], bytes: 0 }
    },
    onData: (chunk) => {
      if (held === null) return isSilenced || reader.onData(chunk)
      // The chunk's memory is the next read's.
      held.chunks.push(Buffer.from(chunk))
      held.bytes += chunk.length
      return held.bytes <= held.mapping.bodyBytes || release(false)
    },
    onEnd: () => {
      release(true)
      reader.onEnd()
    },
    onError: (error) => reader.onError(error),
  }
}

const empty = Buffer.alloc(0)
