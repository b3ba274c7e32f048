import { randomFillSync } from 'node:crypto'

// One call into the random generator per 256 requests: the call costs more than the bytes.
const idBytes = 11
const pool = Buffer.alloc(idBytes * 256)
let offset = pool.length

/** A request id as AWS writes it: 16 characters, the last one `=`. */
export function createRequestId(): string {
  if (offset === pool.length) {
    randomFillSync(pool)
    offset = 0
  }
  offset += idBytes
  return `${pool.toString('base64url', offset - idBytes, offset)}=`
}
