/** Node's `crypto` as a module, and the one of the web as a global, as far as both are real here. */
import { Buffer } from './buffer.ts'
import {
  bufferOf,
  createHash,
  createHmac,
  createPrivateKey,
  createSecretKey,
  hashNames,
  KeyObject,
  timingSafeEqual,
} from './pieces/hashing.ts'
import { randomBelow, randomFill, randomUUID } from './pieces/random.ts'
import { subtle } from './pieces/subtle.ts'

type Done<T> = (error: null, value: T) => void

/** Answers, or calls back later, as Node does with and without a function. */
const answer = <T>(value: T, done: Done<T> | undefined): T | undefined => {
  if (typeof done !== 'function') return value
  void Promise.resolve().then(() => done(null, value))
  return undefined
}

function randomBytes(size: number, done?: Done<Buffer>): Buffer | undefined {
  if (!Number.isInteger(size) || size < 0 || size > 65_536)
    throw new RangeError('randomBytes: the size must be a whole number between 0 and 65536')
  const bytes = new Uint8Array(size)
  randomFill(bytes)
  return answer(bufferOf(bytes), done)
}

function randomInt(from: number, to?: number | Done<number>, done?: Done<number>): number | undefined {
  if (typeof to === 'function') return answer(randomBelow(from), to)
  const [low, high] = to === undefined ? [0, from] : [from, to]
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || high <= low)
    throw new RangeError('randomInt: the end must be greater than the start, both whole numbers')
  return answer(low + randomBelow(high - low), done)
}

function getRandomValues<T extends ArrayBufferView>(view: T): T {
  if (!ArrayBuffer.isView(view)) throw new TypeError('getRandomValues fills typed arrays')
  if (view.byteLength > 65_536) throw new RangeError('getRandomValues fills at most 65536 bytes')
  randomFill(new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength))
  return view
}

const getHashes = (): string[] => [...hashNames]
const createPublicKey = createPrivateKey
const web = { getRandomValues, randomUUID, subtle }
const node = {
  ...{ createHash, createHmac, createSecretKey, KeyObject, timingSafeEqual, getHashes },
  ...{ randomBytes, randomInt, randomUUID, getRandomValues, subtle, webcrypto: web },
}

export {
  Buffer,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  KeyObject,
  timingSafeEqual,
}
export const globals = { crypto: web }
export const modules = { crypto: node }
