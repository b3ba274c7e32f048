import { TextDecoder, TextEncoder, toBase64 } from '../encoding.ts'
import { URLSearchParams } from '../url.ts'

/** As it crosses to the server: text as it is, bytes in base64. */
export type Content = { text: string } | { base64: string } | null

type Bytes = Uint8Array<ArrayBuffer>

/** Of what people give as a body; `type` is what the header says unless they say something else. */
export function contentOf(body: unknown): { content: string | Bytes | null; type: string | null } {
  if (body === null || body === undefined) return { content: null, type: null }
  if (ArrayBuffer.isView(body))
    return { content: new Uint8Array(body.buffer as ArrayBuffer, body.byteOffset, body.byteLength).slice(), type: null }
  if (body instanceof ArrayBuffer) return { content: new Uint8Array(body.slice(0)), type: null }
  if (body instanceof URLSearchParams)
    return { content: body.toString(), type: 'application/x-www-form-urlencoded;charset=UTF-8' }
  return { content: String(body), type: 'text/plain;charset=UTF-8' }
}

export class Body {
  #content: string | Bytes | null
  bodyUsed = false

  constructor(content: string | Bytes | null) {
    this.#content = content
  }
  /** There are no streams here: bodies are read whole. */
  get body(): null {
    return null
  }
  /** Without using it up, for what sends it or copies it. */
  static contentOf(of: Body): string | Bytes | null {
    if (of.bodyUsed) throw new TypeError('Body is unusable: it was read before')
    return of.#content
  }
  static wire(content: string | Bytes | null): Content {
    if (content === null) return null
    return typeof content === 'string' ? { text: content.toWellFormed() } : { base64: toBase64(content) }
  }
  #take(): string | Bytes {
    const content = Body.contentOf(this)
    if (content === null) return ''
    this.bodyUsed = true
    return content
  }
  async text(): Promise<string> {
    const content = this.#take()
    const text = typeof content === 'string' ? content : new TextDecoder('utf-8', { ignoreBOM: true }).decode(content)
    return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
  }
  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }
  async bytes(): Promise<Bytes> {
    const content = this.#take()
    return typeof content === 'string' ? (new TextEncoder().encode(content) as Bytes) : content.slice()
  }
  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer
  }
}
