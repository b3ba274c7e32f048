import { Readable } from 'node:stream'
import { type ChunkedDecoder, createChunkedDecoder } from '../integrations/chunked.ts'

/** A body as it comes in, and where it ends among the bytes of its connection. */
export interface RequestBody {
  /** For whoever wants it. Nothing is lost before somebody listens. */
  readonly stream: Readable
  /** The last byte of it has come, whether or not somebody wanted it. */
  readonly isComplete: boolean
  /**
   * Takes what belongs to it. The bytes may be overwritten afterwards.
   * @returns the position behind that, or -1 when nobody can say where it ends
   */
  take(bytes: Buffer, from: number): number
  /** Nobody wants the rest. It is still read, because the next request stands behind it. */
  discard(): void
}

/** What a body asks of its connection. */
export interface Flow {
  pause(): void
  resume(): void
}

/** @param length as declared; -1: chunked */
export function createRequestBody(length: number, flow: Flow): RequestBody {
  const chunks = length === -1 ? createChunkedDecoder('strict') : null
  let remaining = length
  const stream = new Readable({ read: () => flow.resume() })
  // Copied: its memory is the next read's.
  const push = (copy: Buffer): void => {
    if (!stream.destroyed && !stream.push(copy)) flow.pause()
  }
  const takeFixed = (bytes: Buffer, from: number): number => {
    const end = Math.min(bytes.length, from + remaining)
    remaining -= end - from
    if (end > from) push(Buffer.from(bytes.subarray(from, end)))
    return end
  }
  // One piece a read: ten megabytes in chunks of a byte would be ten million objects wherever a whole body is waited for.
  const takeChunks = (decoder: ChunkedDecoder, bytes: Buffer, from: number): number => {
    const pieces: Buffer[] = []
    const end = decoder.read(bytes, from, (piece) => pieces.push(piece))
    if (pieces.length > 0) push(Buffer.concat(pieces))
    return end
  }
  let isComplete = false
  return {
    stream,
    get isComplete() {
      return isComplete
    },
    take: (bytes, from) => {
      const end = chunks === null ? takeFixed(bytes, from) : takeChunks(chunks, bytes, from)
      if (end === -1 || !(chunks?.isDone ?? remaining === 0)) return end
      isComplete = true
      if (!stream.destroyed) stream.push(null)
      return end
    },
    discard: () => {
      stream.destroy()
      flow.resume()
    },
  }
}
