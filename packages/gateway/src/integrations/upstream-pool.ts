/**
 * Connections to one origin. An exchange has a connection for itself; an idle one is used again only in the check phase
 * of the event loop, after everything the upstream has sent or closed has been read: a late byte or a FIN then voids the
 * connection instead of becoming the next caller's answer.
 */
import {
  type AnswerReader,
  connectUpstream,
  type Dial,
  type UpstreamConnection,
  type UpstreamRequest,
} from './upstream-connection.ts'

export interface UpstreamPool {
  send(request: UpstreamRequest, reader: AnswerReader): Ticket
  /** Closes idle connections now and busy ones when they are done. */
  close(): void
}

/** The hold on a request under way. */
export interface Ticket {
  abort(): void
  resume(): void
}

interface Waiting extends Ticket {
  readonly request: UpstreamRequest
  readonly reader: AnswerReader
  connection: UpstreamConnection | null
  isAborted: boolean
  isRetry: boolean
}

const connectionLimit = 256
const idleLimitMs = 4_000
const sweepMs = 1_000
// RFC 9110 §9.2.2: repeating these has the effect of sending them once.
const repeatable: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

export function createUpstreamPool(origin: string, dial: Dial = {}): UpstreamPool {
  const url = new URL(origin)
  const idle: UpstreamConnection[] = []
  const waiting: Waiting[] = []
  let open = 0
  let isScheduled = false
  let isClosed = false
  let idleMs = idleLimitMs
  let hint = ''

  const start = (item: Waiting, connection: UpstreamConnection): void => {
    item.connection = connection
    connection.send(item.request, readerFor(item))
  }
  const connect = (): UpstreamConnection => {
    open++
    return connectUpstream(url, dial, {
      onIdle: (connection, keepAlive) => {
        if (keepAlive !== null && keepAlive !== hint) {
          hint = keepAlive
          idleMs = idleLimit(keepAlive)
        }
        if (isClosed) {
          connection.destroy()
          return
        }
        connection.idleSince = performance.now()
        idle.push(connection)
        if (waiting.length > 0) schedule()
      },
      onClosed: (connection) => {
        open--
        const at = idle.indexOf(connection)
        if (at !== -1) idle.splice(at, 1)
        if (waiting.length > 0) schedule()
      },
    })
  }
  const flush = (): void => {
    isScheduled = false
    const due = waiting.splice(0)
    for (const [index, item] of due.entries()) {
      if (item.isAborted) continue
      let connection = item.isRetry ? undefined : idle.pop()
      while (connection !== undefined && !connection.isUsable) connection = idle.pop()
      if (connection === undefined && open >= connectionLimit) {
        waiting.unshift(...due.slice(index))
        return
      }
      start(item, connection ?? connect())
    }
  }
  const schedule = (): void => {
    if (isScheduled) return
    isScheduled = true
    setImmediate(flush)
  }

  // A connection that the upstream closed while it was idle fails before any answer: that says nothing about the request.
  const readerFor = (item: Waiting): AnswerReader => ({
    onHead: (head) => item.reader.onHead(head),
    onData: (chunk) => item.reader.onData(chunk),
    onEnd: () => {
      // From here on the connection is someone else's.
      item.connection = null
      item.reader.onEnd()
    },
    onError: (error) => {
      const { connection, request } = item
      item.connection = null
      const isStale = connection?.isReused === true && !connection.hasBegun
      if (item.isAborted || item.isRetry || !isStale || request.body !== null || !repeatable.has(request.method)) {
        item.reader.onError(error)
        return
      }
      item.isRetry = true
      waiting.push(item)
      schedule()
    },
  })

  const sweep = setInterval(() => {
    const since = performance.now() - idleMs
    for (const connection of idle.filter(({ idleSince }) => idleSince < since)) connection.destroy()
  }, sweepMs).unref()

  return {
    send: (request, reader) => {
      const item: Waiting = {
        request,
        reader,
        connection: null,
        isAborted: false,
        isRetry: false,
        resume: () => item.connection?.resume(),
        abort: () => {
          item.isAborted = true
          item.connection?.destroy()
        },
      }
      waiting.push(item)
      schedule()
      return item
    },
    close: () => {
      isClosed = true
      clearInterval(sweep)
      for (const connection of idle.splice(0)) connection.destroy()
    },
  }
}

// A second less than the upstream says, or it closes while our next request is on its way.
function idleLimit(keepAlive: string): number {
  const seconds = Number(/timeout=(\d+)/.exec(keepAlive)?.[1] ?? Number.NaN)
  return Number.isNaN(seconds) ? idleLimitMs : Math.min(idleLimitMs, Math.max(0, seconds * 1000 - 1_000))
}
