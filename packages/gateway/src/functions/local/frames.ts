/**
 * What the gateway and a function's process say to each other, over one pipe: a small head as JSON and a text, both with
 * their length in front. Node's own channel between processes is not used: it has no limit on what the other side may
 * send before it is parsed, and functions know it as theirs.
 */
import type { Readable, Writable } from 'node:stream'

export type ToFunction = {
  readonly type: 'invoke'
  readonly requestId: string
  readonly arn: string
  readonly traceId: string
  readonly remainingMs: number
}

export type FromFunction =
  | { readonly type: 'ready' }
  /** The text is the result, as JSON. */
  | { readonly type: 'result' }
  /** The handler failed; the text says how. */
  | { readonly type: 'error' }
  /** The process ends; the text says why. `init`: the handler could not be loaded. */
  | { readonly type: 'crash' | 'init' }
  | { readonly type: 'log'; readonly level: LogLevel }

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'

const prefixBytes = 8
const headLimit = 4_096

export function writeFrame(stream: Writable, head: ToFunction | FromFunction, text: string, done?: () => void): void {
  const headBytes = Buffer.from(JSON.stringify(head))
  const textBytes = Buffer.from(text)
  const prefix = Buffer.alloc(prefixBytes)
  prefix.writeUInt32BE(headBytes.length, 0)
  prefix.writeUInt32BE(textBytes.length, 4)
  stream.write(Buffer.concat([prefix, headBytes, textBytes]), () => done?.())
}

/**
 * @param textLimit bytes of a text; whoever sends more is reported once and not heard again
 * @param handlers.onFrame is given the head as it was sent, whatever it is
 */
export function readFrames(
  stream: Readable,
  textLimit: number,
  handlers: { readonly onFrame: (head: unknown, text: string) => void; readonly onNonsense: () => void },
): void {
  let chunks: Buffer[] = []
  let bytes = 0
  let needed = prefixBytes
  const refuse = (): void => {
    stream.removeAllListeners('data').resume()
    handlers.onNonsense()
  }
  const take = (): boolean => {
    const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    let at = 0
    while (all.length - at >= prefixBytes) {
      const headEnd = at + prefixBytes + all.readUInt32BE(at)
      const textLength = all.readUInt32BE(at + 4)
      if (headEnd - at > headLimit || textLength > textLimit) return false
      needed = headEnd + textLength - at
      if (all.length - at < needed) break
      const head = parse(all.toString('utf8', at + prefixBytes, headEnd))
      if (head === undefined) return false
      handlers.onFrame(head, all.toString('utf8', headEnd, headEnd + textLength))
      at += needed
      needed = prefixBytes
    }
    chunks = at === all.length ? [] : [all.subarray(at)]
    bytes = all.length - at
    return true
  }
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.length
    // A large frame arrives in many pieces; joining them at each would be quadratic.
    if (bytes >= needed && !take()) refuse()
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
