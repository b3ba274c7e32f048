import { hmac } from '@noble/hashes/hmac.js'
import { md5, sha1 } from '@noble/hashes/legacy.js'
import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { Buffer } from '../buffer.ts'

const HASHES = { md5, sha1, sha224, sha256, sha384, sha512 }
export type HashName = keyof typeof HASHES
export const hashNames = Object.keys(HASHES) as HashName[]

type Bytes = Uint8Array<ArrayBuffer>
export type Data = string | ArrayBufferView | ArrayBuffer

interface Running {
  update(bytes: Uint8Array): unknown
  digest(): Uint8Array
  clone(): Running
}

/** @throws TypeError for anything that is neither text nor bytes */
export function bytesOf(data: unknown, encoding?: string): Bytes {
  if (typeof data === 'string') return Buffer.from(data, encoding) as unknown as Bytes
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  if (data instanceof KeyObject) return data.bytes
  throw new TypeError('The data must be a string, a Buffer, a typed array, a DataView or an ArrayBuffer.')
}

export const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length)

export function hashNamed(name: unknown): (typeof HASHES)[HashName] {
  const plain = String(name).toLowerCase().replace(/^rsa-/, '').replace(/^sha-/, 'sha')
  const found = Object.hasOwn(HASHES, plain) ? HASHES[plain as HashName] : undefined
  if (!found) throw new Error(`The hash ${String(name)} is not available here. There are: ${hashNames.join(', ')}.`)
  return found
}

/** `Hash` and `Hmac` of Node's. */
export class Digest {
  #running: Running
  #isDone = false
  constructor(running: Running) {
    this.#running = running
  }
  update(data: Data, encoding?: string): this {
    if (this.#isDone) throw new Error('Digest already called')
    this.#running.update(bytesOf(data, encoding))
    return this
  }
  digest(encoding?: string): Buffer | string {
    if (this.#isDone) throw new Error('Digest already called')
    this.#isDone = true
    const bytes = bufferOf(this.#running.digest())
    return encoding === undefined || encoding === 'buffer' ? bytes : bytes.toString(encoding)
  }
  copy(): Digest {
    if (this.#isDone) throw new Error('Digest already called')
    return new Digest(this.#running.clone())
  }
}

export const createHash = (name: string): Digest => new Digest(hashNamed(name).create() as unknown as Running)

export const createHmac = (name: string, key: unknown): Digest =>
  new Digest(hmac.create(hashNamed(name), bytesOf(key)) as unknown as Running)

/** A secret key. There are no others: what is written as PEM belongs to an algorithm that is not here. */
export class KeyObject {
  readonly type = 'secret'
  readonly #bytes: Bytes
  constructor(bytes: Bytes) {
    this.#bytes = bytes
  }
  get bytes(): Bytes {
    return this.#bytes
  }
  get symmetricKeySize(): number {
    return this.#bytes.length
  }
  export(): Buffer {
    return bufferOf(this.#bytes.slice())
  }
}

/**
 * Whoever checks signatures with a public key must never have it taken for a shared secret, which everybody would know
 * (CVE-2015-9235).
 *
 * @throws TypeError for a PEM
 */
export function createSecretKey(key: Data, encoding?: string): KeyObject {
  const bytes = bytesOf(key, encoding).slice()
  if (bufferOf(bytes).toString('latin1').includes('-----BEGIN ')) throw noAsymmetricKeys()
  return new KeyObject(bytes)
}

const noAsymmetricKeys = () =>
  new TypeError('Asymmetric keys are not available here: sign and verify with HS256, HS384 or HS512 and a secret.')

export function createPrivateKey(): never {
  throw noAsymmetricKeys()
}

/** @throws RangeError for lengths that differ, as Node does */
export function timingSafeEqual(a: unknown, b: unknown): boolean {
  if (typeof a === 'string' || typeof b === 'string')
    throw new TypeError('timingSafeEqual compares bytes, not strings.')
  const [left, right] = [bytesOf(a), bytesOf(b)]
  if (left.length !== right.length) throw new RangeError('Input buffers must have the same byte length')
  let difference = 0
  for (let at = 0; at < left.length; at++) difference |= left[at]! ^ right[at]!
  return difference === 0
}
