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
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    rest += chunk
    let end = rest.indexOf('\n')
    while (end >= 0) {
      const line = rest.slice(0, end)
      rest = rest.slice(end + 1)
      if (line.length > maxChars) return handlers.tooLong()
      handlers.line(line)
      end = rest.indexOf('\n')
    }
    if (rest.length > maxChars) {
      rest = ''
      handlers.tooLong()
    }
  })
}

/** JSON text holds no raw newline, so a line break ends exactly one document. */
export const sendLine = (stream: Writable, document: unknown): void => {
  stream.write(`${JSON.stringify(document)}\n`)
}
