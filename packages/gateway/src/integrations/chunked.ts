/** Decodes a chunked body (RFC 9112 §7.1) as it arrives. Trailers are read and dropped. */
export interface ChunkedDecoder {
  /**
   * Reads from a position on.
   *
   * @returns the position behind what belonged to the body, or -1 when the coding is broken
   */
  read(bytes: Buffer, from: number, onData: (chunk: Buffer) => void): number
  readonly isDone: boolean
}

const sizeLine = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/
const trailerLine = /^[\w!#$%&'*+\-.^`|~]+:[\t\x20-\x7e\x80-\xff]*$/
const lineLimit = 4_096
const trailerLimit = 64

export function createChunkedDecoder(): ChunkedDecoder {
  let state: 'size' | 'data' | 'gap' | 'trailer' | 'done' = 'size'
  let line = ''
  let remaining = 0
  let trailers = 0

  /** Takes one complete line; false when it is not what may stand here. */
  const take = (text: string): boolean => {
    if (state === 'gap') {
      state = 'size'
      return text === ''
    }
    if (state === 'trailer') {
      if (text === '') state = 'done'
      return text === '' || (++trailers <= trailerLimit && trailerLine.test(text))
    }
    const match = sizeLine.exec(text)
    if (match === null) return false
    remaining = Number.parseInt(match[1]!, 16)
    state = remaining === 0 ? 'trailer' : 'data'
    return true
  }

  return {
    get isDone() {
      return state === 'done'
    },
    read: (bytes, from, onData) => {
      let at = from
      while (at < bytes.length && state !== 'done') {
        if (state === 'data') {
          const end = Math.min(bytes.length, at + remaining)
          onData(bytes.subarray(at, end))
          remaining -= end - at
          at = end
          if (remaining === 0) state = 'gap'
          continue
        }
        const end = bytes.indexOf(0x0a, at)
        line += bytes.toString('latin1', at, end === -1 ? bytes.length : end)
        if (line.length > lineLimit) return -1
        if (end === -1) return bytes.length
        // A line ends with CR LF; a bare LF is a second reading of where it ends.
        if (!line.endsWith('\r') || !take(line.slice(0, -1))) return -1
        line = ''
        at = end + 1
      }
      return at
    },
  }
}
