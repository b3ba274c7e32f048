/**
 * One connection to an upstream, carrying one exchange at a time. Written for the hot path: it reads into one shared
 * buffer without stream machinery and sends a request without a body in one write.
 */
import net from 'node:net'
import type { Readable } from 'node:stream'
import tls from 'node:tls'
import { type ChunkedDecoder, createChunkedDecoder } from './chunked.ts'
import { parseResponseHead, type ResponseHead } from './response-head.ts'

export interface UpstreamRequest {
  readonly method: string
  /** Request line and headers, each ended by CR LF, without framing headers and without the empty line. */
  readonly head: string
  readonly body: Readable | null
  /** Declared length of the body; -1 sends it chunked. */
  readonly bodyLength: number
}

/** Receives an answer. Chunks are only valid during the call. */
export interface AnswerReader {
  onHead(head: ResponseHead): void
  /** Returns false to pause the upstream until `resume`. */
  onData(chunk: Buffer): boolean
  onEnd(): void
  onError(error: Error): void
}

export interface UpstreamConnection {
  send(request: UpstreamRequest, reader: AnswerReader): void
  resume(): void
  destroy(): void
  readonly isUsable: boolean
  /** Whether an answer has been received on it before: a failure to use it again may be a stale connection. */
  readonly isReused: boolean
  /** Whether any byte of the current answer has come. */
  readonly hasBegun: boolean
  idleSince: number
}

export interface ConnectionEvents {
  /** The answer is complete and the connection can carry another. */
  onIdle(connection: UpstreamConnection, keepAlive: string | null): void
  onClosed(connection: UpstreamConnection): void
}

const headLimit = 64 * 1024
const emptyLine = Buffer.from('\r\n\r\n')
// Every read is consumed before the next one on whichever connection: one buffer serves them all.
const shared = Buffer.allocUnsafeSlow(64 * 1024)

/** How connections to an upstream are opened. */
export interface Dial {
  /** Certificate authorities to trust for an https origin instead of the public ones (PEM). */
  readonly ca?: string | undefined
  /** Finds the address of the host, or refuses to; by default the system does. */
  readonly lookup?: net.LookupFunction | undefined
}

export function connectUpstream(origin: URL, dial: Dial, events: ConnectionEvents): UpstreamConnection {
  let reader: AnswerReader | null = null
  let request: UpstreamRequest | null = null
  let mode: 'head' | 'fixed' | 'chunked' | 'until-close' = 'head'
  let head: ResponseHead | null = null
  let partial: Buffer | null = null
  let remaining = 0
  let chunks: ChunkedDecoder | null = null
  let answers = 0
  let hasBegun = false
  let isBodySent = true
  let isPaused = false

  const fail = (error: Error): void => {
    const failed = reader
    reader = null
    socket.destroy()
    failed?.onError(error)
  }
  const complete = (): void => {
    // Given up while its last bytes were read: the connection is destroyed already.
    if (reader === null) return
    const done = reader
    const { keepsAlive = false, keepAlive = null } = head ?? {}
    // An answer before the end of the request leaves the rest of it to be read as the next request.
    const isReusable = keepsAlive && isBodySent && mode !== 'until-close'
    reader = null
    head = null
    mode = 'head'
    answers++
    if (!isReusable) socket.destroy()
    else if (isPaused) connection.resume()
    done.onEnd()
    if (isReusable) events.onIdle(connection, keepAlive)
  }
  const deliver = (chunk: Buffer): void => {
    if (reader?.onData(chunk) === false) isPaused = true
  }

  const startBody = (parsed: ResponseHead): void => {
    head = parsed
    const { isChunked, length, status } = parsed
    const hasBody = request?.method !== 'HEAD' && status !== 204 && status !== 304
    reader?.onHead(parsed)
    if (!hasBody || length === 0) complete()
    else if (isChunked) {
      mode = 'chunked'
      chunks = createChunkedDecoder('lenient')
    } else if (length > 0) {
      mode = 'fixed'
      remaining = length
    } else mode = 'until-close'
  }

  const readHead = (bytes: Buffer, from: number): { bytes: Buffer; at: number } | null => {
    const all: Buffer = partial === null ? bytes : Buffer.concat([partial, bytes.subarray(from)])
    const start = partial === null ? from : 0
    const end = all.indexOf(emptyLine, start)
    if (end === -1 || end - start > headLimit) {
      if (all.length - start > headLimit) fail(new Error('the head of the answer is too large'))
      else partial = Buffer.from(all.subarray(start))
      return null
    }
    partial = null
    const parsed = parseResponseHead(all.toString('latin1', start, end))
    if (parsed === null || parsed.status === 101) fail(new Error('the head of the answer is malformed'))
    else if (parsed.status >= 200) startBody(parsed)
    return { bytes: all, at: end + emptyLine.length }
  }

  const consume = (received: Buffer): void => {
    let bytes = received
    let at = 0
    while (at < bytes.length) {
      if (reader === null) {
        // Nobody asked for this: the next caller on this connection must not get it.
        socket.destroy()
        return
      }
      hasBegun = true
      if (mode === 'head') {
        const rest = readHead(bytes, at)
        if (rest === null) return
        bytes = rest.bytes
        at = rest.at
      } else if (mode === 'fixed') {
        const end = Math.min(bytes.length, at + remaining)
        remaining -= end - at
        deliver(bytes.subarray(at, end))
        at = end
        if (remaining === 0) complete()
      } else if (mode === 'chunked') {
        at = chunks!.read(bytes, at, deliver)
        if (at === -1) fail(new Error('the chunks of the answer are malformed'))
        if (at === -1) return
        if (chunks!.isDone) complete()
      } else {
        deliver(bytes.subarray(at))
        return
      }
    }
  }

  const onBytes = (bytes: Buffer): boolean => {
    try {
      consume(bytes)
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)))
    }
    return !isPaused
  }
  const onGone = (): void => {
    if (reader !== null && mode === 'until-close' && hasBegun) complete()
    else if (reader !== null) fail(new Error('the upstream closed the connection before its answer was complete'))
  }

  const socket = openSocket(origin, dial, onBytes)
  socket.on('error', fail)
  socket.on('end', onGone)
  socket.on('close', () => {
    onGone()
    events.onClosed(connection)
  })

  const connection: UpstreamConnection = {
    idleSince: 0,
    get isUsable() {
      return !socket.destroyed && socket.writable && reader === null
    },
    get isReused() {
      return answers > 0
    },
    get hasBegun() {
      return hasBegun
    },
    send: (next, nextReader) => {
      request = next
      reader = nextReader
      hasBegun = false
      isBodySent = next.body === null
      if (next.body === null) socket.write(`${next.head}\r\n`, 'latin1')
      else {
        sendBody(socket, next, next.body, fail, () => {
          isBodySent = true
        })
      }
    },
    resume: () => {
      isPaused = false
      socket.resume()
    },
    destroy: () => {
      reader = null
      socket.destroy()
    },
  }
  return connection
}

function openSocket(origin: URL, { ca, lookup }: Dial, onBytes: (bytes: Buffer) => boolean): net.Socket {
  const host = origin.hostname.replace(/^\[|\]$/g, '')
  const find = lookup === undefined ? {} : { lookup }
  if (origin.protocol === 'http:') {
    const callback = (count: number): boolean => onBytes(shared.subarray(0, count))
    const onread = { buffer: shared, callback }
    return net.connect({ host, port: Number(origin.port || 80), noDelay: true, onread, ...find })
  }
  const servername = net.isIP(host) === 0 ? { servername: host } : {}
  const trust = ca === undefined ? {} : { ca }
  const port = Number(origin.port || 443)
  const socket = tls.connect({ host, port, ALPNProtocols: ['http/1.1'], ...servername, ...trust, ...find })
  socket.setNoDelay(true)
  socket.on('data', (bytes: Buffer) => {
    if (!onBytes(bytes)) socket.pause()
  })
  return socket
}

function sendBody(
  socket: net.Socket,
  { bodyLength, head }: UpstreamRequest,
  body: Readable,
  onError: (error: Error) => void,
  onSent: () => void,
): void {
  const isChunked = bodyLength === -1
  socket.write(`${head}${isChunked ? 'transfer-encoding: chunked' : `content-length: ${bodyLength}`}\r\n\r\n`, 'latin1')
  body.on('data', (chunk: Buffer) => {
    if (socket.destroyed) return
    if (isChunked) socket.cork()
    if (isChunked) socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
    const hasRoom = socket.write(chunk)
    if (isChunked) socket.write('\r\n', 'latin1')
    if (isChunked) socket.uncork()
    if (hasRoom) return
    body.pause()
    socket.once('drain', () => body.resume())
  })
  body.once('end', () => {
    if (isChunked && !socket.destroyed) socket.write('0\r\n\r\n', 'latin1')
    onSent()
  })
  body.once('error', onError)
  // Destroyed before its end: what was sent is half a request.
  body.once('close', () => {
    if (!body.readableEnded) onError(new Error('the body of the request ended early'))
  })
}
