/**
 * The upstream of the fuzzer: reads what the gateway writes with a parser of its own, as strict as RFC 9112 allows, and
 * answers well or badly as the request asks. Whatever it finds wrong is the gateway's fault.
 */
import net, { type AddressInfo } from 'node:net'

export interface UpstreamRequest {
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [name: string, value: string])[]
}

export interface FuzzUpstream {
  readonly port: number
  readonly connections: () => number
  close(): void
}

const requestLine = /^([A-Z]+) (\/[\x21\x22\x24-\x7e]*) HTTP\/1\.1$/
const field = /^([!#$%&'*+\-.^_`|~0-9a-z]+): ([\t\x20-\x7e\x80-\xff]*)$/

export async function startFuzzUpstream(
  onRequest: (request: UpstreamRequest) => void,
  onFault: (what: string) => void,
): Promise<FuzzUpstream> {
  const open = new Set<net.Socket>()
  const server = net.createServer({ noDelay: true }, (socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => undefined)
    const read = createReader(onFault, (request) => {
      onRequest(request)
      answer(socket, request)
    })
    socket.on('data', (bytes) => {
      if (!read(bytes.toString('latin1'))) socket.destroy()
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => open.size,
    close: () => {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}

/** Reads requests one behind the other. Returns false when there can be no more. */
function createReader(onFault: (what: string) => void, onHead: (request: UpstreamRequest) => void) {
  let buffer = ''
  let state: 'head' | 'fixed' | 'size' | 'data' | 'end' = 'head'
  let left = 0
  return (text: string): boolean => {
    buffer += text
    for (;;) {
      if (state === 'head') {
        const end = buffer.indexOf('\r\n\r\n')
        if (end === -1) return true
        const request = parseHead(buffer.slice(0, end))
        if (typeof request === 'string') {
          onFault(`${request}: ${JSON.stringify(buffer.slice(0, 400))}`)
          return false
        }
        buffer = buffer.slice(end + 4)
        const header = (name: string): string | undefined => request.headers.find(([found]) => found === name)?.[1]
        left = Number(header('content-length') ?? 0)
        state = header('transfer-encoding') === 'chunked' ? 'size' : left > 0 ? 'fixed' : 'head'
        onHead(request)
      } else if (state === 'size' || state === 'end') {
        const end = buffer.indexOf('\r\n')
        if (end === -1) return true
        const line = buffer.slice(0, end)
        buffer = buffer.slice(end + 2)
        if (state === 'end') {
          if (line !== '') onFault(`a chunked body does not end: ${JSON.stringify(line.slice(0, 80))}`)
          state = 'head'
        } else if (!/^[0-9a-f]{1,8}$/.test(line)) {
          onFault(`a chunk has the size ${JSON.stringify(line.slice(0, 80))}`)
          return false
        } else {
          left = Number.parseInt(line, 16) + 2
          state = left === 2 ? 'end' : 'data'
        }
      } else {
        if (buffer.length === 0) return true
        const taken = Math.min(left, buffer.length)
        left -= taken
        buffer = buffer.slice(taken)
        if (left > 0) return true
        state = state === 'data' ? 'size' : 'head'
      }
    }
  }
}

function parseHead(text: string): UpstreamRequest | string {
  const [first = '', ...lines] = text.split('\r\n')
  const match = requestLine.exec(first)
  if (match === null) return 'a request line that is none'
  const headers: [string, string][] = []
  for (const line of lines) {
    const parts = field.exec(line)
    if (parts === null) return `a header line that is none (${JSON.stringify(line.slice(0, 80))})`
    headers.push([parts[1]!, parts[2]!])
  }
  const count = (name: string): number => headers.filter(([found]) => found === name).length
  if (count('host') !== 1) return 'not one host'
  if (count('content-length') + count('transfer-encoding') > 1) return 'two ways to end'
  const coding = headers.find(([name]) => name === 'transfer-encoding')?.[1]
  if (coding !== undefined && coding !== 'chunked') return 'a transfer coding other than chunked'
  return { method: match[1]!, target: match[2]!, headers }
}

interface Reply {
  readonly socket: net.Socket
  /** Empty for HEAD. */
  readonly body: string
  /** The header line that tells the length of the body. */
  readonly length: string
  readonly isHead: boolean
}

const write = ({ socket }: Reply, text: string): void => {
  socket.write(text, 'latin1')
}
const end = ({ socket }: Reply, text: string): void => {
  socket.end(text, 'latin1')
}
const ok = ({ body, length }: Reply): string => `HTTP/1.1 200 OK\r\n${length}\r\n${body}`
const inChunks = ({ body, isHead }: Reply): string =>
  isHead ? '' : `${body.length.toString(16)}\r\n${body}\r\n0\r\nx: y\r\n\r\n`

/** What no client may ever see is called POISON. */
const replies: Readonly<Record<string, (reply: Reply) => void>> = {
  length: (reply) => write(reply, ok(reply)),
  chunked: (reply) => write(reply, `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${inChunks(reply)}`),
  close: (reply) => end(reply, `HTTP/1.1 200 OK\r\n\r\n${reply.body}`),
  malformed: (reply) => write(reply, `HTTP/1.1 200 OK\r\nx : POISON\r\n${reply.length}\r\n${reply.body}`),
  'two-lengths': (reply) => write(reply, `HTTP/1.1 200 OK\r\n${reply.length}content-length: 0\r\n\r\nPOISON`),
  extra: (reply) => write(reply, `${ok(reply)}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON`),
  reset: ({ socket }) => void socket.resetAndDestroy(),
  hang: () => undefined,
  'early-hints': (reply) => write(reply, `${'HTTP/1.1 103 Early Hints\r\nx: POISON\r\n\r\n'.repeat(200)}${ok(reply)}`),
  endless: (reply) => write(reply, `HTTP/1.1 200 OK\r\n${'x: POISON\r\n'.repeat(10_000)}`),
  slow: (reply) => {
    const text = ok(reply)
    let at = 0
    const timer = setInterval(() => {
      if (reply.socket.destroyed || at >= text.length) clearInterval(timer)
      else write(reply, text[at++]!)
    }, 1)
  },
  short: (reply) => end(reply, `HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n${reply.body}`),
  early: (reply) => end(reply, ok(reply)),
  'no-content': (reply) => write(reply, 'HTTP/1.1 204 No Content\r\n\r\n'),
  'not-modified': (reply) => write(reply, 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n'),
  upgrade: (reply) => write(reply, 'HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\nPOISON'),
  big: (reply) => {
    const padding = reply.isHead ? '' : 'b'.repeat(300_000)
    write(reply, `HTTP/1.1 200 OK\r\ncontent-length: ${reply.body.length + 300_000}\r\n\r\n${reply.body}${padding}`)
  },
  folded: (reply) => write(reply, `HTTP/1.1 200 OK\r\nx: a\r\n set-cookie: POISON\r\n${reply.length}\r\n${reply.body}`),
  'chunk-lie': (reply) => write(reply, 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nPOISON\r\n0\r\n\r\n'),
}

/** How it can be asked to answer, by the header `x-up`. */
export const behaviours = Object.keys(replies)

function answer(socket: net.Socket, { method, headers, target }: UpstreamRequest): void {
  const behaviour = headers.find(([name]) => name === 'x-up')?.[1] ?? 'length'
  const isHead = method === 'HEAD'
  const body = isHead ? '' : `[${/m=-?\d+\.\d+\./.exec(target)?.[0] ?? ''}]`
  const reply = Object.hasOwn(replies, behaviour) ? replies[behaviour]! : replies.length!
  reply({ socket, body, length: `content-length: ${isHead ? 5 : body.length}\r\n`, isHead })
}
