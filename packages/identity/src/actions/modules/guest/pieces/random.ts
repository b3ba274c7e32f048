/**
 * Random bytes without a way to the host: HMAC_DRBG with SHA-256 (NIST SP 800-90A, 10.1.2), seeded once in a run with
 * bytes that came with its payload. Two runs never share a seed.
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Host } from './host.ts'

declare const host: Host

let key = new Uint8Array(32)
let value = new Uint8Array(32).fill(1)
let isSeeded = false

const joined = (...parts: Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((size, { length }) => size + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

function update(seed?: Uint8Array): void {
  for (const round of seed ? [0, 1] : [0]) {
    key = hmac(sha256, key, joined(value, Uint8Array.of(round), seed ?? new Uint8Array(0))) as Uint8Array<ArrayBuffer>
    value = hmac(sha256, key, value) as Uint8Array<ArrayBuffer>
  }
}

export function randomFill(target: Uint8Array): void {
  if (!isSeeded) update(hexToBytes(host.entropy()))
  isSeeded = true
  for (let at = 0; at < target.length; at += value.length) {
    value = hmac(sha256, key, value) as Uint8Array<ArrayBuffer>
    target.set(value.subarray(0, Math.min(value.length, target.length - at)), at)
  }
  // What was given out cannot be computed from what is held.
  update()
}

export function randomUUID(): string {
  const bytes = new Uint8Array(16)
  randomFill(bytes)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  let out = ''
  for (let at = 0; at < 16; at++) {
    if (at === 4 || at === 6 || at === 8 || at === 10) out += '-'
    out += bytes[at]!.toString(16).padStart(2, '0')
  }
  return out
}

/** Without the bias of a remainder. @throws RangeError */
export function randomBelow(limit: number): number {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > 2 ** 48 - 1)
    throw new RangeError('randomInt: the range must hold between 1 and 2^48 - 1 numbers')
  const bytes = new Uint8Array(6)
  const highest = 2 ** 48 - (2 ** 48 % limit)
  for (;;) {
    randomFill(bytes)
    const drawn = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
    if (drawn < highest) return drawn % limit
  }
}
