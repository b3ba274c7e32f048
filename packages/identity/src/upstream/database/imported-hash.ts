/**
 * Password hashes that other systems made, in the shapes of Auth0's bulk import. They are kept as they came and checked at
 * sign-in; the first password that fits is hashed anew (login/password-check.ts), which is the end of the old hash.
 *
 * A hash carries its own cost, and an import is a way to plant one that keeps a server busy for hours. So the cost of each
 * is bounded here, when it is imported.
 */
import { type BinaryLike, createHash, createHmac, pbkdf2, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { verify as verifyArgon2 } from '@node-rs/argon2'
import { verify as verifyBcrypt } from '@node-rs/bcrypt'
import { md4 } from './md4.ts'

type Encoding = 'base64' | 'hex' | 'utf8'
export interface CustomPasswordHash {
  algorithm: string
  hash: {
    value: string
    encoding?: Encoding | undefined
    digest?: string | undefined
    key?: { value: string; encoding?: Encoding | undefined } | undefined
  }
  salt?: { value: string; encoding?: Encoding | undefined; position?: 'prefix' | 'suffix' | undefined } | undefined
  password?: { encoding?: 'ascii' | 'utf8' | 'utf16le' | 'ucs2' | 'latin1' | 'binary' | undefined } | undefined
  keylen?: number | undefined
  cost?: number | undefined
  blockSize?: number | undefined
  parallelization?: number | undefined
}

/** Why a hash cannot be imported. The text is for whoever imports it; `path` names the member. */
export class HashRefused extends Error {
  readonly path: string
  constructor(path: string, message: string) {
    super(message)
    this.path = path
  }
}

const PREFIX = 'tenantry-import$'
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/

/** No more than about a second of one core each, and the memory of one scrypt or Argon2 as most systems set it. */
const LIMITS = {
  bcryptCost: 14,
  argon2Kibibytes: 65_536,
  argon2Passes: 10,
  argon2Lanes: 16,
  /** Iterations times blocks of output: each block costs all of them again. */
  pbkdf2Iterations: 2_000_000,
  /** cost * blockSize is memory (times 128 bytes: 64 MiB), times parallelization it is time. */
  scryptMemory: 524_288,
  scryptTime: 2_097_152,
  outputBytes: 128,
}

/** Whether nobody has signed in since the hash was imported. */
export const isImported = (stored: string): boolean => stored.startsWith(PREFIX) || BCRYPT.test(stored)

/** Auth0's `password_hash`. @throws HashRefused */
export function importBcrypt(value: string): string {
  checkBcrypt(value, 'password_hash')
  if (value.startsWith('$2y$')) throw new HashRefused('password_hash', 'The hash must begin with $2a$ or $2b$.')
  return value
}

/** Auth0's `custom_password_hash`, as one text to be stored. @throws HashRefused */
export function importCustom(given: CustomPasswordHash): string {
  const check = Object.hasOwn(CHECKS, given.algorithm) ? CHECKS[given.algorithm] : undefined
  if (!check) throw new HashRefused('custom_password_hash.algorithm', 'This algorithm is not supported.')
  check(given)
  return PREFIX + JSON.stringify(given)
}

/** Whether the password fits a hash that `isImported`. */
export async function verifyImported(stored: string, plain: string): Promise<boolean> {
  if (!stored.startsWith(PREFIX)) return verifyBcrypt(plain, stored)
  const given = JSON.parse(stored.slice(PREFIX.length)) as CustomPasswordHash
  const password = Buffer.from(plain, given.password?.encoding ?? 'utf8')
  switch (given.algorithm) {
    case 'bcrypt':
      return verifyBcrypt(salted(given, password), given.hash.value)
    case 'argon2':
      return verifyArgon2(given.hash.value, password)
    case 'pbkdf2': {
      const { digest, iterations, salt, hash } = readPbkdf2(given.hash.value)
      return same(await promisify(pbkdf2)(password, salt, iterations, hash.length, digest), hash)
    }
    case 'scrypt': {
      const { N, r, p } = scryptCost(given)
      const options = { N, r, p, maxmem: 256 * N * r + 1024 * 1024 }
      const hash = hashBytes(given)
      return same(await scryptAsync(password, saltBytes(given), hash.length, options), hash)
    }
    case 'ldap': {
      const { digest, hash, salt } = readLdap(given.hash.value)
      return same(createHash(digest).update(password).update(salt).digest(), hash)
    }
    case 'hmac': {
      const { value, encoding } = given.hash.key!
      const made = createHmac(given.hash.digest!, bytesOf(value, encoding)).update(salted(given, password))
      return same(made.digest(), hashBytes(given))
    }
    case 'md4':
      return same(md4(salted(given, password)), hashBytes(given))
    default:
      return same(createHash(given.algorithm).update(salted(given, password)).digest(), hashBytes(given))
  }
}

const scryptAsync = (password: BinaryLike, salt: BinaryLike, length: number, options: object): Promise<Buffer> =>
  new Promise((resolve, reject) =>
    scrypt(password, salt, length, options, (error, key) => (error ? reject(error) : resolve(key))),
  )

const same = (made: Buffer, hash: Buffer): boolean => made.length === hash.length && timingSafeEqual(made, hash)

const bytesOf = (text: string, encoding: Encoding = 'utf8'): Buffer => Buffer.from(text, encoding)
const hashBytes = ({ hash }: CustomPasswordHash): Buffer => bytesOf(hash.value, hash.encoding)
const saltBytes = ({ salt }: CustomPasswordHash): Buffer =>
  salt ? bytesOf(salt.value, salt.encoding) : Buffer.alloc(0)
const salted = (given: CustomPasswordHash, password: Buffer): Buffer =>
  Buffer.concat(given.salt?.position === 'suffix' ? [password, saltBytes(given)] : [saltBytes(given), password])

// What is checked at import ---------------------------------------------------------------------------------------------

const at = (member: string) => `custom_password_hash.${member}`
const refuse = (member: string, message: string) => new HashRefused(at(member), message)

const DIGEST_BYTES: Record<string, number> = {
  md5: 16,
  sha1: 20,
  ripemd160: 20,
  sha224: 28,
  sha256: 32,
  sha384: 48,
  sha512: 64,
}
/** OpenSSL's other names for the same digests, which Auth0 takes too. */
const digestNamed = (name: string): string | undefined => {
  const plain = name
    .replace(/^RSA-/, '')
    .replace(/With(RSA|RSAEncryption)$/, '')
    .toLowerCase()
  const known = { 'sha1-2': 'sha1', rmd160: 'ripemd160', ripemd: 'ripemd160', 'ssl3-md5': 'md5', 'ssl3-sha1': 'sha1' }
  const digest = Object.hasOwn(known, plain) ? known[plain as keyof typeof known] : plain
  return Object.hasOwn(DIGEST_BYTES, digest) ? digest : undefined
}

function checkDigest(given: CustomPasswordHash, bytes: number): void {
  binaryHash(given)
  if (hashBytes(given).length !== bytes) throw refuse('hash.value', `The hash must have ${bytes} bytes.`)
}

/** Bytes as hex or base64, in that very alphabet: what a decoder skips would make another hash of it. */
function binaryHash({ hash, salt }: CustomPasswordHash): void {
  if (hash.encoding !== 'hex' && hash.encoding !== 'base64') {
    throw refuse('hash.encoding', 'The encoding must be hex or base64.')
  }
  checkEncoded('hash.value', hash.value, hash.encoding)
  if (salt) checkEncoded('salt.value', salt.value, salt.encoding)
}

function checkEncoded(member: string, value: string, encoding: Encoding | undefined): void {
  if (encoding === 'hex' && !/^([0-9a-f]{2})*$/i.test(value)) throw refuse(member, 'The value is not hexadecimal.')
  if (encoding === 'base64' && !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) throw refuse(member, 'The value is not base64.')
}

function textHash({ hash }: CustomPasswordHash): void {
  if (hash.encoding !== undefined && hash.encoding !== 'utf8')
    throw refuse('hash.encoding', 'The encoding must be utf8.')
}

function withoutSalt({ salt }: CustomPasswordHash): void {
  if (salt) throw refuse('salt', 'The salt is part of the hash with this algorithm.')
}

const digest = (bytes: number) => (given: CustomPasswordHash) => checkDigest(given, bytes)

const CHECKS: Record<string, (given: CustomPasswordHash) => void> = {
  md4: digest(16),
  md5: digest(16),
  sha1: digest(20),
  sha256: digest(32),
  sha512: digest(64),
  hmac(given) {
    const name = given.hash.digest ?? ''
    const bytes = Object.hasOwn(DIGEST_BYTES, name) ? DIGEST_BYTES[name] : undefined
    if (!bytes) throw refuse('hash.digest', `The digest must be one of ${Object.keys(DIGEST_BYTES).join(', ')}.`)
    if (!given.hash.key) throw refuse('hash.key', 'An HMAC needs its key.')
    checkEncoded('hash.key.value', given.hash.key.value, given.hash.key.encoding)
    checkDigest(given, bytes)
  },
  ldap(given) {
    textHash(given)
    withoutSalt(given)
    readLdap(given.hash.value)
  },
  bcrypt(given) {
    textHash(given)
    checkBcrypt(given.hash.value, at('hash.value'))
    if (given.salt) checkEncoded('salt.value', given.salt.value, given.salt.encoding)
  },
  argon2(given) {
    textHash(given)
    withoutSalt(given)
    const read =
      /^\$argon2(?:id|i|d)(?:\$v=(?:16|19))?\$m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,10})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,172}$/.exec(
        given.hash.value,
      )
    if (!read) throw refuse('hash.value', 'The hash is no PHC string of Argon2.')
    const [memory, passes, lanes] = [Number(read[1]), Number(read[2]), Number(read[3])]
    if (memory > LIMITS.argon2Kibibytes || passes > LIMITS.argon2Passes || lanes > LIMITS.argon2Lanes) {
      const { argon2Kibibytes: m, argon2Passes: t, argon2Lanes: p } = LIMITS
      throw refuse('hash.value', `The hash costs too much: at most m=${m}, t=${t}, p=${p}.`)
    }
    if (lanes < 1 || passes < 1 || memory < 8 * lanes)
      throw refuse('hash.value', 'The hash is no PHC string of Argon2.')
  },
  pbkdf2(given) {
    textHash(given)
    withoutSalt(given)
    const { digest, iterations, hash } = readPbkdf2(given.hash.value)
    const blocks = Math.ceil(hash.length / DIGEST_BYTES[digest]!)
    if (iterations * blocks > LIMITS.pbkdf2Iterations) {
      const most = Math.floor(LIMITS.pbkdf2Iterations / blocks)
      throw refuse('hash.value', `The hash costs too much: at most i=${most} at this length.`)
    }
  },
  scrypt(given) {
    binaryHash(given)
    const { N, r, p } = scryptCost(given)
    if (N < 2 || (N & (N - 1)) !== 0) throw refuse('cost', 'The cost must be a power of two above one.')
    if (r < 1 || p < 1) throw refuse('blockSize', 'blockSize and parallelization must be above zero.')
    if (N * r > LIMITS.scryptMemory || N * r * p > LIMITS.scryptTime) {
      const { scryptMemory, scryptTime } = LIMITS
      const most = `cost * blockSize ${scryptMemory}, times parallelization ${scryptTime}`
      throw refuse('cost', `The hash costs too much: at most ${most}.`)
    }
    if (given.keylen === undefined) throw refuse('keylen', 'keylen is missing.')
    if (given.keylen < 1 || given.keylen > LIMITS.outputBytes || hashBytes(given).length !== given.keylen) {
      throw refuse('keylen', `keylen must be the length of the hash, at most ${LIMITS.outputBytes}.`)
    }
  },
}

function checkBcrypt(value: string, path: string): void {
  const cost = Number(BCRYPT.exec(value)?.[1])
  if (Number.isNaN(cost) || cost < 4) throw new HashRefused(path, 'The hash is no bcrypt hash ($2a$, $2b$).')
  if (cost > LIMITS.bcryptCost) throw new HashRefused(path, `The hash costs too much: at most ${LIMITS.bcryptCost}.`)
}

const scryptCost = (given: CustomPasswordHash) => ({
  N: given.cost ?? 16_384,
  r: given.blockSize ?? 8,
  p: given.parallelization ?? 1,
})

/** `$pbkdf2-sha512$i=100000,l=64$salt$hash`; without parameters Auth0 takes 100,000 iterations and 64 bytes. */
function readPbkdf2(value: string) {
  const read =
    /^\$pbkdf2-([A-Za-z0-9-]{1,32})(?:\$([il]=\d{1,9}(?:,[il]=\d{1,9})?))?\$([A-Za-z0-9+/]{1,400})\$([A-Za-z0-9+/]{1,400})$/.exec(
      value,
    )
  const digest = read && digestNamed(read[1]!)
  if (!read) throw refuse('hash.value', 'The hash is no PHC string of PBKDF2.')
  if (!digest) throw refuse('hash.value', `The digest must be one of ${Object.keys(DIGEST_BYTES).join(', ')}.`)
  const parameters = Object.fromEntries((read[2] ?? '').split(',').map((pair) => pair.split('=')))
  const iterations = Number(parameters.i ?? 100_000)
  const hash = Buffer.from(read[4]!, 'base64')
  if (iterations < 1 || hash.length > LIMITS.outputBytes || hash.length !== Number(parameters.l ?? 64)) {
    throw refuse('hash.value', `The hash must have the length that l says, at most ${LIMITS.outputBytes} bytes.`)
  }
  return { digest, iterations, salt: Buffer.from(read[3]!, 'base64'), hash }
}

/** `{SSHA}base64(hash, salt)`, RFC 2307 §5.3. */
function readLdap(value: string) {
  const read = /^\{(S?)(MD5|SHA|SHA1|SHA224|SHA256|SHA384|SHA512)\}([A-Za-z0-9+/]{4,1000}={0,2})$/i.exec(value)
  if (!read) throw refuse('hash.value', 'The scheme must be MD5, SMD5, SHA… or SSHA…, followed by base64.')
  const name = read[2]!.toLowerCase()
  const digest = name === 'sha' ? 'sha1' : name
  const bytes = Buffer.from(read[3]!, 'base64')
  const size = DIGEST_BYTES[digest]!
  const [hash, salt] = [bytes.subarray(0, size), bytes.subarray(size)]
  if (hash.length !== size || (read[1] === '' && salt.length > 0)) {
    throw refuse('hash.value', `The hash must have ${size} bytes.`)
  }
  return { digest, hash, salt }
}
