import { TextDecoder, TextEncoder } from '@exodus/bytes/encoding-lite.js'
import { atob, btoa, fromBase64, toBase64 } from './pieces/base64.ts'
import { DOMException } from './pieces/dom-exception.ts'
import { format, inherits, promisify } from './pieces/node-util.ts'
import { structuredClone } from './pieces/structured-clone.ts'

// For other parts, which would otherwise have their own: an error is recognised by its class.
export { DOMException, fromBase64, TextDecoder, TextEncoder, toBase64 }
export const globals = { TextEncoder, TextDecoder, atob, btoa, structuredClone }
export const modules = { util: { promisify, inherits, format, TextEncoder, TextDecoder } }
