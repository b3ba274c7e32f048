import { PassThrough, type Readable } from 'node:stream'
import { limits } from '../api.ts'
import type { Call } from '../exchange.ts'

/** What was read of a body before the request was forwarded. */
export interface BodyStart {
  readonly bytes: Buffer
  /** There is no more. */
  readonly isWhole: boolean
}

/**
 * Reads a body up to its end or until it has more than `limit` bytes, and then stops the client from sending on.
 * @param onGone called instead of `onRead` when the connection ended first
 */
export function readStart(
  stream: Readable,
  limit: number,
  onRead: (start: BodyStart) => void,
  onGone: () => void,
): void {
  const chunks: Buffer[] = []
  let bytes = 0
  const done = (): void => {
    stream.off('data', take).off('end', end).off('close', onClose)
  }
  const end = (): void => {
    done()
    onRead({ bytes: Buffer.concat(chunks), isWhole: true })
  }
  const take = (chunk: Buffer): void => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes <= limit) return
    done()
    stream.pause()
    onRead({ bytes: Buffer.concat(chunks), isWhole: false })
  }
  const onClose = (): void => {
    done()
    onGone()
  }
  stream.on('data', take).on('end', end).on('close', onClose)
}

/**
 * The body to send upstream, or `null` when the request has none. Chunks are counted as they pass: a chunked body has
 * no length to refuse beforehand.
 *
 * @param onTooLarge called once when the body passes the limit; nothing of it is sent on from there
 * @param start what `readStart` has taken of it
 */
export function cappedBody(call: Call, onTooLarge: () => void, start: BodyStart | null): Readable | null {
  const received = call.request.body
  if (received === null) return null
  const { stream } = received
  const body = new PassThrough()
  const take = (chunk: Buffer): void => {
    call.receivedBytes += chunk.length
    if (call.receivedBytes > limits.bodyBytes) {
      stream.removeAllListeners('data')
      onTooLarge()
      body.destroy()
    } else if (!body.write(chunk)) stream.pause()
  }
  body.on('drain', () => stream.resume())
  if (start !== null) {
    take(start.bytes)
    if (start.isWhole) body.end()
    else if (!body.writableNeedDrain) stream.resume()
  }
  if (start?.isWhole !== true) stream.on('data', take).on('end', () => body.end())
  // A client that goes away in the middle must not look like one that finished.
  stream.on('close', () => {
    if (!received.isComplete) body.destroy(new Error('the client closed the connection while sending its body'))
  })
  // The reader's own error path reports it; without a listener the stream would raise it again.
  body.on('error', () => undefined)
  return body
}

/**
 * Hands over the whole body once it is there, `null` when the request has none. Calls nothing when the client goes away
 * in the middle of it.
 */
export function collectBody(call: Call, onBody: (body: Buffer | null) => void, onTooLarge: () => void): void {
  const body = cappedBody(call, onTooLarge, null)
  if (body === null) {
    onBody(null)
    return
  }
  if (call.awaitsContinue) call.response.writeContinue()
  const chunks: Buffer[] = []
  body.on('data', (chunk: Buffer) => chunks.push(chunk))
  body.on('end', () => onBody(Buffer.concat(chunks)))
}
