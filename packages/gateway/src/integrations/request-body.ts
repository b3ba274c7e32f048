import type { IncomingMessage } from 'node:http'
import { PassThrough, type Readable } from 'node:stream'
import { limits } from '../api.ts'
import type { Head } from '../head.ts'

/**
 * The body to send upstream, or `null` when the request has none. Chunks are counted as they pass: a chunked body has
 * no length to refuse beforehand.
 *
 * @param onTooLarge called once when the body passes the limit; nothing of it is sent on from there
 */
export function cappedBody(request: IncomingMessage, head: Head, onTooLarge: () => void): Readable | null {
  if (!head.isChunked && head.contentLength === 0) return null
  const body = new PassThrough()
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > limits.bodyBytes) {
      request.removeAllListeners('data')
      onTooLarge()
      body.destroy()
    } else if (!body.write(chunk)) request.pause()
  })
  body.on('drain', () => request.resume())
  request.on('end', () => body.end())
  // A client that goes away in the middle must not look like one that finished.
  request.on('close', () => {
    if (!request.complete) body.destroy(new Error('the client closed the connection while sending its body'))
  })
  // The reader's own error path reports it; without a listener the stream would raise it again.
  body.on('error', () => undefined)
  return body
}
