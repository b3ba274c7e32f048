import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { fieldValue, token } from '../field-text.ts'
import type { RequestHead } from './request-head.ts'

export interface ResponseDeps {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Value of `Keep-Alive`. */
  readonly keepAlive: string
  /** Called once, when all of it has been handed to the connection. */
  readonly onEnd: (response: Response) => void
}

/** The answer to one request, in the words of Node's `ServerResponse`, as far as a gateway needs them. */
export class Response {
  headersSent = false
  isEnded = false
  /** The connection stays for another request; certain once the head is written. */
  keepsAlive: boolean
  /** Called when the connection ends before the answer does. */
  onGone: (() => void) | null = null
  /** Called when there is room again after `write` returned false. */
  onDrain: (() => void) | null = null

  readonly #socket: Socket
  readonly #request: Pick<RequestHead, 'method' | 'version'>
  readonly #deps: ResponseDeps
  #awaitsContinue: boolean
  #head = ''
  #isChunked = false
  #isBodyless = false

  constructor(
    socket: Socket,
    request: Pick<RequestHead, 'method' | 'version' | 'keepsAlive'>,
    awaitsContinue: boolean,
    deps: ResponseDeps,
  ) {
    this.#socket = socket
    this.#request = request
    this.#awaitsContinue = awaitsContinue
    this.#deps = deps
    this.keepsAlive = request.keepsAlive
  }

  /** The connection is gone. */
  get destroyed(): boolean {
    return this.#socket.destroyed
  }

  writeContinue(): void {
    this.#awaitsContinue = false
    this.#send('HTTP/1.1 100 Continue\r\n\r\n')
  }

  /**
   * Says how the answer begins; it leaves with the first part of the body.
   *
   * @param fields `name, value …` with names in lower case; a length, if there is one, among them
   * @throws Error when a field cannot stand in a head
   */
  writeHead(status: number, fields: readonly string[]): void {
    if (this.headersSent) throw new Error('the head of the answer is written already')
    const { method, version } = this.#request
    // Told to go ahead by a last word, the client may send its body after all: it must not be read as a request.
    if (this.#awaitsContinue) this.keepsAlive = false
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
    let isDated = false
    let hasLength = false
    let saysConnection = false
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i]!
      const value = fields[i + 1]!
      // Whoever wrote it: a line break in a header would be the beginning of another one.
      if (!token.test(name) || !fieldValue.test(value)) throw new Error(`the header "${name}" holds what no header can`)
      text += `${name}: ${value}\r\n`
      if (name === 'content-length') hasLength = true
      else if (name === 'date') isDated = true
      else if (name === 'connection') {
        saysConnection = true
        if (value === 'close') this.keepsAlive = false
      }
    }
    // Without a length HTTP/1.0 knows one end only.
    if (!hasLength && version !== '1.1') this.keepsAlive = false
    if (!isDated) text += `Date: ${httpDate(this.#deps.now())}\r\n`
    if (!saysConnection) {
      text += this.keepsAlive
        ? `Connection: keep-alive\r\nKeep-Alive: ${this.#deps.keepAlive}\r\n`
        : 'Connection: close\r\n'
    }
    this.#isBodyless = method === 'HEAD' || status === 204 || status === 304
    this.#isChunked = !hasLength && !this.#isBodyless && version === '1.1'
    if (this.#isChunked) text += 'Transfer-Encoding: chunked\r\n'
    this.headersSent = true
    this.#head = `${text}\r\n`
  }

  /** @returns false when the client reads too slowly: wait for `onDrain` */
  write(chunk: Buffer): boolean {
    // A chunk of nothing is how a chunked body ends.
    if (this.#isBodyless || chunk.length === 0) return true
    const socket = this.#socket
    socket.cork()
    this.#sendHead()
    if (this.#isChunked) this.#send(`${chunk.length.toString(16)}\r\n`)
    const hasRoom = !socket.writable || socket.write(chunk)
    if (this.#isChunked) this.#send('\r\n')
    socket.uncork()
    return hasRoom
  }

  /** @param body the last part, or all of it; a text in latin1 */
  end(body: string | Buffer = ''): void {
    if (this.isEnded) return
    if (typeof body !== 'string') {
      this.write(body)
      this.#finish('')
    } else if (this.#isBodyless) this.#finish('')
    else this.#finish(this.#isChunked && body !== '' ? `${body.length.toString(16)}\r\n${body}\r\n` : body)
  }

  /** Breaks the connection off: half an answer must not look whole. */
  destroy(): void {
    this.#socket.destroy()
  }

  #finish(last: string): void {
    const text = this.#head + last + (this.#isChunked ? '0\r\n\r\n' : '')
    this.#head = ''
    if (text !== '') this.#send(text)
    this.isEnded = true
    this.#deps.onEnd(this)
  }

  #sendHead(): void {
    if (this.#head === '') return
    this.#send(this.#head)
    this.#head = ''
  }

  #send(text: string): void {
    if (this.#socket.writable) this.#socket.write(text, 'latin1')
  }
}

let second = -1
let written = ''

// A thousand answers a second have the same date.
function httpDate(now: number): string {
  const seconds = Math.floor(now / 1000)
  if (seconds !== second) {
    second = seconds
    written = new Date(now).toUTCString()
  }
  return written
}
