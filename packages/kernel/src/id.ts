import { randomBytes, randomInt, randomUUID } from 'node:crypto'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/**
 * Random characters from A-Z, a-z, 0-9 without modulo bias: bytes of 248 and above are thrown away,
 * because 256 is no multiple of 62.
 */
export function randomText(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62]
    }
  }
  return text
}

/** An opaque handle of 256 bits for codes, tokens and tickets. Only its hash is ever stored. */
export const randomHandle = (): string => randomBytes(32).toString('base64url')

/** Identifiers in the shapes that Auth0's clients expect. Fixed length, random, never reused (no prefix of another). */
export const newId = {
  environment: () => `env_${randomText(16)}`,
  organization: () => `org_${randomText(16)}`,
  connection: () => `con_${randomText(16)}`,
  role: () => `rol_${randomText(16)}`,
  clientGrant: () => `cgr_${randomText(16)}`,
  invitation: () => `uinv_${randomText(16)}`,
  job: () => `job_${randomText(16)}`,
  client: () => randomText(32),
  thirdPartyClient: () => `tpc_${randomText(28)}`,
  clientSecret: () => randomText(64),
  clientCredential: () => `cred_${randomText(22)}`,
  customDomain: () => `cd_${randomText(16)}`,
  discoveryDomain: () => `dd_${randomText(16)}`,
  resourceServer: () => randomBytes(12).toString('hex'),
  databaseUser: () => randomBytes(12).toString('hex'),
  session: () => randomText(32),
  authenticationMethod: () => `dev_${randomText(16)}`,
  uuid: () => randomUUID(),
}

/** A code that people type, such as `042917`; it needs a limit on tries. */
export const randomDigits = (length: number): string => Array.from({ length }, () => String(randomInt(10))).join('')

/** Letters and digits that are not taken for one another (RFC 4648 §6), five bits each. */
export const randomBase32 = (length: number): string =>
  Array.from(randomBytes(length), (byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[byte & 31]).join('')
