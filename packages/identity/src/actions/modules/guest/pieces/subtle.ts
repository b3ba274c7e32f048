/** Of `crypto.subtle` what the hashes allow: digests, and HMAC with a raw key. The rest is not there. */

import { DOMException } from '../encoding.ts'
import { bytesOf, createHmac, type Data, hashNamed, timingSafeEqual } from './hashing.ts'

interface Algorithm {
  name?: string
  hash?: string | { name?: string }
}

const nameOf = (algorithm: unknown): string =>
  String(typeof algorithm === 'string' ? algorithm : (algorithm as Algorithm | undefined)?.name)

const unsupported = (what: string) =>
  new DOMException(`${what} is not available here: there are digests, and HMAC with a raw key.`, 'NotSupportedError')

class CryptoKey {
  readonly type = 'secret'
  readonly extractable: boolean
  readonly usages: readonly string[]
  readonly algorithm: { name: 'HMAC'; hash: { name: string }; length: number }
  readonly #bytes: Uint8Array
  constructor(bytes: Uint8Array, hash: string, extractable: boolean, usages: readonly string[]) {
    this.#bytes = bytes
    this.extractable = extractable
    this.usages = usages
    this.algorithm = { name: 'HMAC', hash: { name: hash }, length: bytes.length * 8 }
  }
  for(usage: string): Uint8Array {
    if (!this.usages.includes(usage))
      throw new DOMException(`The key may not be used to ${usage}.`, 'InvalidAccessError')
    return this.#bytes
  }
}

const arrayBufferOf = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer

async function sign(algorithm: unknown, key: CryptoKey, data: Data): Promise<ArrayBuffer> {
  if (nameOf(algorithm).toUpperCase() !== 'HMAC') throw unsupported(nameOf(algorithm))
  return mac(key, 'sign', data)
}

const mac = (key: CryptoKey, usage: string, data: Data): ArrayBuffer =>
  arrayBufferOf(createHmac(key.algorithm.hash.name, key.for(usage)).update(data).digest() as unknown as Uint8Array)

export const subtle = {
  async digest(algorithm: unknown, data: Data): Promise<ArrayBuffer> {
    return arrayBufferOf(hashNamed(nameOf(algorithm))(bytesOf(data)))
  },
  async importKey(
    format: string,
    raw: Data,
    algorithm: Algorithm,
    extractable: boolean,
    usages: string[],
  ): Promise<CryptoKey> {
    if (format !== 'raw' || nameOf(algorithm).toUpperCase() !== 'HMAC')
      throw unsupported(`${format} ${nameOf(algorithm)}`)
    const hash = nameOf(algorithm.hash)
    hashNamed(hash)
    return new CryptoKey(bytesOf(raw).slice(), hash, extractable, [...usages])
  },
  sign,
  async verify(algorithm: unknown, key: CryptoKey, signature: Data, data: Data): Promise<boolean> {
    if (nameOf(algorithm).toUpperCase() !== 'HMAC') throw unsupported(nameOf(algorithm))
    const [given, right] = [bytesOf(signature), new Uint8Array(mac(key, 'verify', data))]
    return given.length === right.length && timingSafeEqual(given, right)
  },
}
