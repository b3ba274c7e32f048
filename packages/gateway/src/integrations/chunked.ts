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

const token = "[\\w!#$%&'*+\\-.^`|~]+"
const text = '[\\t\\x20-\\x7e\\x80-\\xff]*'
const quoted = '"(?:[\\t !#-[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"'
const manners = {
  // Some servers write sizes of one width, with spaces behind them.
  lenient: {
    size: new RegExp(`^([0-9A-Fa-f]{1,8})[ \\t]*(?:;${text})?$`),
    trailer: new RegExp(`^${token}:${text}$`),
  },
  // Where a body ends is not said once more behind it (RFC 9110 §6.5.1).
  strict: {
    size: new RegExp(`^([0-9A-Fa-f]{1,8})(?:;${token}(?:=(?:${token}|${quoted}))?)*$`),
    trailer: new RegExp(`^(?!content-length:|transfer-encoding:)${token}:${text}$`, 'i'),
  },
}
const lineLimit = 4_096
const trailerLimit = 64

/** @param manner `strict` for requests, whose senders have less to be forgiven */
export function createChunkedDecoder(manner: keyof typeof manners): ChunkedDecoder {
  const lines = manners[manner]
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
      return text === '' || (++trailers <= trailerLimit && lines.trailer.test(text))
    }
    const match = lines.size.exec(text)
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
