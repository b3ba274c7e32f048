import { TextDecoder, TextEncoder } from '@exodus/bytes/encoding-lite.js'
import { DOMException } from './pieces/dom-exception.ts'
import { format, inherits, promisify } from './pieces/node-util.ts'
import { structuredClone } from './pieces/structured-clone.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

const invalid = (text: string) => new DOMException(text, 'InvalidCharacterError')

/** @throws DOMException for a character that is no byte */
function btoa(value: unknown): string {
  const text = String(value)
  let out = ''
  for (let at = 0; at < text.length; at += 3) {
    const [a, b, c] = [text.charCodeAt(at), text.charCodeAt(at + 1), text.charCodeAt(at + 2)] as [
      number,
      number,
      number,
    ]
    if (a > 255 || b > 255 || c > 255) throw invalid('Invalid character')
    out += ALPHABET[a >> 2]! + ALPHABET[((a & 3) << 4) | (b >> 4)]
    out += Number.isNaN(b) ? '==' : ALPHABET[((b & 15) << 2) | (c >> 6)]! + (Number.isNaN(c) ? '=' : ALPHABET[c & 63])
  }
  return out
}

/** Forgiving, as the standard says: white space and missing padding are no error. */
function atob(value: unknown): string {
  let text = String(value).replace(/[\t\n\f\r ]/g, '')
  if (text.length % 4 === 0) text = text.replace(/==?$/, '')
  if (text.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(text))
    throw invalid('The string to be decoded is not correctly encoded.')
  let out = ''
  let bits = 0
  let held = 0
  for (const character of text) {
    bits = ((bits << 6) | ALPHABET.indexOf(character)) & 0xfff
    held += 6
    if (held < 8) continue
    held -= 8
    out += String.fromCharCode((bits >> held) & 255)
  }
  return out
}

export { TextDecoder, TextEncoder }
export const globals = { TextEncoder, TextDecoder, atob, btoa, structuredClone }
export const modules = { util: { promisify, inherits, format, TextEncoder, TextDecoder } }
