import { randomBytes } from 'node:crypto'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** 24 random characters: opaque, and of one length, so that no tenant's id is the beginning of another's. */
export function newTenantId(): string {
  let id = ''
  // Bytes from 248 on are thrown away, because 256 is no multiple of 62.
  while (id.length < 24) {
    for (const byte of randomBytes(32)) if (byte < 248 && id.length < 24) id += ALPHABET[byte % 62]
  }
  return id
}
