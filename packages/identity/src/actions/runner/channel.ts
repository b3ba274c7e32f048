import type { Readable, Writable } from 'node:stream'

/**
 * JSON documents, one per line, over a pipe. Node's own IPC is not used on purpose: it understands control messages
 * of its own, and it has no limit on what a hostile peer may send before it is parsed.
 */
export function receiveLines(
  stream: Readable,
  maxChars: number,
  handlers: { line(text: string): void; tooLong(): void },
): void {
  // Pieces of the line that is not complete; each is searched once, however long the line becomes.
  let pieces: string[] = []
  let length = 0
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    let from = 0
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      pieces.push(chunk.slice(from, end))
      from = end + 1
      const line = pieces.join('')
      pieces = []
      length = 0
      if (line.length > maxChars) return handlers.tooLong()
      handlers.line(line)
    }
    pieces.push(chunk.slice(from))
    length += chunk.length - from
    if (length > maxChars) {
      pieces = []
      length = 0
      handlers.tooLong()
    }
  })
}

/** JSON text holds no raw newline, so a line break ends exactly one document. */
export const sendLine = (stream: Writable, document: unknown): void => {
  stream.write(`${JSON.stringify(document)}\n`)
}
