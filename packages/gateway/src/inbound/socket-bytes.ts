/**
 * What a client's socket sends, read into one buffer that all of them share.
 *
 * Node has this for sockets that it opens (`onread` of `net.connect`) and not for those that it accepts, where each read
 * allocates 64 KB and gives back what it did not need: 8 % of the gateway's CPU per request. So an accepted socket is told
 * here what `net.connect` would have told it. That is Node's inside: where it looks otherwise, as with TLS, the bytes come
 * as events, which is dearer and the same.
 */
import type { Socket } from 'node:net'

// Every read is consumed before the next one on whichever connection.
const shared = Buffer.allocUnsafeSlow(64 * 1024)

/**
 * Hands over whatever comes, as it comes. Pausing the socket holds it up.
 *
 * @param take its bytes are only valid during the call: what is kept must be copied
 * @returns how they are read
 */
export function readBytes(socket: Socket, take: (bytes: Buffer) => void): 'shared' | 'events' {
  const inside = insideOf(socket)
  if (inside === null) {
    socket.on('data', take)
    return 'events'
  }
  inside.take(shared, (count) => {
    take(shared.subarray(0, count))
    return !socket.isPaused()
  })
  socket.resume()
  return 'shared'
}

interface Inside {
  take(buffer: Buffer, callback: (count: number) => boolean): void
}

/** What Node's own constructor sets where `onread` is given; `null` when it is not all there. */
function insideOf(socket: Socket): Inside | null {
  const fields = socket as unknown as Record<symbol, unknown> & {
    _handle?: { useUserBuffer?: (buffer: Buffer) => void }
  }
  const symbols = Object.getOwnPropertySymbols(socket)
  const named = (name: string): symbol | undefined => symbols.find(({ description }) => description === name)
  const [buffer, callback, generator] = [named('kBuffer'), named('kBufferCb'), named('kBufferGen')]
  const handle = fields._handle
  if (buffer === undefined || callback === undefined || generator === undefined) return null
  if (fields[buffer] !== null || fields[callback] !== null || fields[generator] !== null) return null
  if (handle?.constructor.name !== 'TCP' || typeof handle.useUserBuffer !== 'function') return null
  return {
    take: (into, onRead) => {
      handle.useUserBuffer!(into)
      fields[buffer] = into
      fields[callback] = onRead
    },
  }
}
