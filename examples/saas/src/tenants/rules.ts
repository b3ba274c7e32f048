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

/** Words that are paths of the web app or mean something as a sub-domain. */
const RESERVED = new Set([
  'www',
  'api',
  'app',
  'login',
  'callback',
  'register',
  'error',
  't',
  'localhost',
  'admin',
  'mail',
])

/**
 * The name of a company as organization name, sub-domain and path: lower case, spaces to hyphens, accents off, and what
 * is left must be 1 to 50 of a-z, 0-9, _ and -, beginning with a letter or digit. Undefined when nothing usable is left.
 */
export function slugOf(companyName: string): string | undefined {
  const slug = companyName
    .normalize('NFKD')
    .toLowerCase()
    .trim()
    .replace(/\s+/g, '-')
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/-{2,}/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 50)
    .replace(/-+$/, '')
  return slug === '' || RESERVED.has(slug) ? undefined : slug
}
