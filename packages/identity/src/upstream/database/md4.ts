/** MD4 (RFC 1320), which OpenSSL 3 no longer has. Good for nothing but to recognise a password that was hashed with it. */

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))

/** For each of the three rounds: the order of words, the shifts, the constant. */
const ROUNDS = [
  { order: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], shifts: [3, 7, 11, 19], constant: 0 },
  { order: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15], shifts: [3, 5, 9, 13], constant: 0x5a827999 },
  { order: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], shifts: [3, 9, 11, 15], constant: 0x6ed9eba1 },
]
const MIX = [
  (x: number, y: number, z: number) => (x & y) | (~x & z),
  (x: number, y: number, z: number) => (x & y) | (x & z) | (y & z),
  (x: number, y: number, z: number) => x ^ y ^ z,
]

export function md4(message: Uint8Array): Buffer {
  const padded = Buffer.alloc(Math.ceil((message.length + 9) / 64) * 64)
  padded.set(message)
  padded[message.length] = 0x80
  padded.writeBigUInt64LE(BigInt(message.length) * 8n, padded.length - 8)
  let state: [number, number, number, number] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
  for (let block = 0; block < padded.length; block += 64) {
    let [a, b, c, d] = state
    for (const [index, { order, shifts, constant }] of ROUNDS.entries()) {
      for (const [step, word] of order.entries()) {
        const sum = (a + MIX[index]!(b, c, d) + padded.readUInt32LE(block + 4 * word) + constant) | 0
        ;[a, b, c, d] = [d, rotate(sum, shifts[step % 4]!), b, c]
      }
    }
    state = [(state[0] + a) | 0, (state[1] + b) | 0, (state[2] + c) | 0, (state[3] + d) | 0]
  }
  const digest = Buffer.alloc(16)
  for (const [index, word] of state.entries()) digest.writeInt32LE(word, 4 * index)
  return digest
}
