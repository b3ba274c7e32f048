import { fromBase64, toBase64 } from '@exodus/bytes/base64.js'
import { DOMException } from './dom-exception.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

const invalid = (text: string) => new DOMException(text, 'InvalidCharacterError')

/** @throws DOMException for a character that is no byte */
export function btoa(value: unknown): string {
  const text = String(value)
  const bytes = new Uint8Array(text.length)
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code > 255) throw invalid('Invalid character')
    bytes[at] = code
  }
  return toBase64(bytes)
}

/** Forgiving, as the standard says: white space, missing padding and bits left over are no error. */
export function atob(value: unknown): string {
  let text = String(value).replace(/[\t\n\f\r ]/g, '')
  if (text.length % 4 === 0) text = text.replace(/==?$/, '')
  if (text.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(text)) {
    throw invalid('The string to be decoded is not correctly encoded.')
  }
  const used = { 2: 0b110000, 3: 0b111100 }[text.length % 4]
  if (used !== undefined) text = text.slice(0, -1) + ALPHABET[ALPHABET.indexOf(text.at(-1)!) & used]
  const bytes = fromBase64(text, { padding: false })
  const pieces: string[] = []
  // In pieces: the arguments of a call have a limit, and a text that grows by single characters takes ten times its size.
  for (let at = 0; at < bytes.length; at += 8192) pieces.push(String.fromCharCode(...bytes.subarray(at, at + 8192)))
  return pieces.join('')
}

export { fromBase64, toBase64 }
