/**
 * Passwords of database connections: Argon2id with the cost that OWASP names first (19 MiB, two passes, one lane), each
 * hash as a PHC string that carries its own parameters. Hashing runs on libuv's threads, so it never holds up the event
 * loop.
 */
import { hash, verify } from '@node-rs/argon2'
import { isImported, verifyImported } from './imported-hash.ts'

/** Kibibytes, passes, lanes. The package's default algorithm is Argon2id (its enum cannot be imported with types erased). */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }
const CURRENT = `$argon2id$v=19$m=${COST.memoryCost},t=${COST.timeCost},p=${COST.parallelism}$`

/** The hash of the text 'x', at the current cost; what it fits is never believed. */
const DUMMY = `${CURRENT}fClAj01m1pj6JKXWA5N4rQ$1uOCo35VyPw+uJiqf4FXs/On7diPbOtA3xtdu46o2zo`

/** The PHC string to store. Whether the password is acceptable is decided before, by `checkPassword`. */
export const hashPassword = (plain: string): Promise<string> => hash(plain, COST)

/**
 * Whether the password belongs to the hash. Without a hash (no such person, or one who has no password) the answer is no,
 * after the work of one verification: the time of an answer must not tell who has an account. Nor must it where a hash was
 * imported that takes microseconds to check, so the same work is done beside it.
 */
export async function verifyPassword(stored: string | undefined, plain: string): Promise<boolean> {
  if (stored !== undefined && isImported(stored)) {
    const [fits] = await Promise.all([verifyImported(stored, plain), verify(DUMMY, plain)])
    return fits
  }
  const right = await verify(stored ?? DUMMY, plain)
  return stored !== undefined && right
}

/** Whether the hash was made at another cost than today's; after a successful sign-in it is then made anew. */
export const needsRehash = (stored: string): boolean => !stored.startsWith(CURRENT)
