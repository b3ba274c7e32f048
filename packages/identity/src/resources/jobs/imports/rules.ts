import { createHash } from 'node:crypto'
import { Problem } from '@tenantry/kernel/problem.ts'
import { Compile } from 'typebox/compile'
import {
  type CustomPasswordHash,
  HashRefused,
  importBcrypt,
  importCustom,
} from '../../../upstream/database/imported-hash.ts'
import type { ConnectionRow } from '../../connections/store.ts'
import { comparableEmail, isEmailAddress } from '../../email-address.ts'
import { isObject } from '../../inert.ts'
import { registered } from '../../users/rules.ts'
import type { UserRow } from '../../users/store.ts'
import { refuseAddress } from '../../web-address.ts'
import type { ErrorRow, RowError } from '../store.ts'
import { parseRow } from './rows.ts'
import { ImportedUser } from './schema.ts'

/** A row that may be written. `given` decides what an existing user takes from it. */
export interface Accepted {
  position: number
  given: ImportedUser
  user: UserRow
  /** What tells a second row for the same person. */
  keys: string[]
}

/** Compiled when the first import runs. */
let compiled: ReturnType<typeof compileUser> | undefined
const compileUser = () => Compile(ImportedUser)

/** Auth0's names for what can be wrong with a row. */
const CODES: Record<string, string> = {
  type: 'INVALID_TYPE',
  required: 'OBJECT_REQUIRED',
  enum: 'ENUM_MISMATCH',
  pattern: 'PATTERN',
  minLength: 'MIN_LENGTH',
  maxLength: 'MAX_LENGTH',
  minimum: 'MINIMUM',
  maximum: 'MAXIMUM',
  minItems: 'ARRAY_LENGTH_SHORT',
  maxItems: 'ARRAY_LENGTH_LONG',
  additionalProperties: 'OBJECT_ADDITIONAL_PROPERTIES',
}

/** Names that Auth0 keeps out of app_metadata, since its own members of a user have them. */
const RESERVED = new Set([
  ...['__tenant', '_id', 'blocked', 'clientID', 'created_at', 'email_verified', 'email', 'globalClientID'],
  ...['global_client_id', 'identities', 'lastIP', 'lastLogin', 'loginsCount', 'metadata'],
  ...['multifactor_last_modified', 'multifactor', 'updated_at', 'user_id'],
])

export const rowError = (code: string, path: string, message: string): RowError => ({ code, message, path })

/**
 * Reads one row of the file.
 *
 * @throws BrokenFile when it is no JSON
 */
export function readRow(
  bytes: Buffer | undefined,
  position: number,
  connection: Pick<ConnectionRow, 'id' | 'strategy' | 'options'>,
  now: Date,
): Accepted | ErrorRow {
  let value: unknown
  try {
    value = parseRow(bytes)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return { position, person: {}, errors: [rowError('FORMAT', '', error.message)] }
  }
  const refuse = (...errors: RowError[]): ErrorRow => ({ position, person: redacted(value), errors })
  compiled ??= compileUser()
  const validator = compiled
  if (!validator.Check(value)) {
    const errors = validator.Errors(value).slice(0, 10).flatMap(describe)
    return refuse(...(errors.length > 0 ? errors : [rowError('INVALID_TYPE', '', 'The row is no user.')]))
  }
  const wrong = refusalOf(value)
  if (wrong) return refuse(wrong)
  try {
    // The schema has checked the enumerations, which its type says less about.
    const hash =
      value.password_hash !== undefined
        ? importBcrypt(value.password_hash)
        : value.custom_password_hash && importCustom(value.custom_password_hash as CustomPasswordHash)
    const { password_hash: _, custom_password_hash: __, mfa_factors: ___, ...profile } = value
    // The same reader as for a user that is created one by one; the password is only what its hash is made from.
    const user = registered({ ...profile, connection: '', password: '' }, connection, '', now)
    return {
      position,
      given: value,
      user: { ...user, password_hash: hash ?? null },
      keys: [
        digest('email', comparableEmail(value.email)),
        ...(value.user_id ? [digest('id', value.user_id)] : []),
        ...(value.username ? [digest('username', comparableEmail(value.username))] : []),
      ],
    }
  } catch (error) {
    if (error instanceof HashRefused) return refuse(rowError('NOT_PASSED', error.path, error.message))
    if (error instanceof Problem) return refuse(rowError('FORMAT', '', error.message))
    throw error
  }
}

function refusalOf(value: ImportedUser): RowError | undefined {
  if (!isEmailAddress(value.email)) return rowError('FORMAT', 'email', 'This is no e-mail address.')
  const address = value.picture === undefined ? undefined : refuseAddress(value.picture)
  if (address) return rowError('FORMAT', 'picture', `The address ${address}.`)
  if (value.mfa_factors !== undefined) {
    return rowError('MFA_FACTORS_FAILED', 'mfa_factors', 'Importing MFA factors is not supported.')
  }
  if (value.password_hash !== undefined && value.custom_password_hash !== undefined) {
    return rowError('NOT_PASSED', 'password_hash', 'Send password_hash or custom_password_hash, not both.')
  }
  const reserved = Object.keys(value.app_metadata ?? {}).find((name) => RESERVED.has(name))
  if (reserved) return rowError('NOT_PASSED', `app_metadata.${reserved}`, 'This name is reserved.')
  return undefined
}

function describe(error: { keyword: string; instancePath: string; message: string; params: object }): RowError[] {
  const code = Object.hasOwn(CODES, error.keyword) ? CODES[error.keyword]! : 'NOT_PASSED'
  const path = error.instancePath.slice(1).replaceAll('/', '.')
  const names =
    'additionalProperties' in error.params
      ? (error.params.additionalProperties as string[])
      : 'requiredProperties' in error.params
        ? (error.params.requiredProperties as string[])
        : undefined
  // The members inside are named by errors of their own.
  if (error.keyword === 'boolean') return []
  const at = (name: string) => [path, name.slice(0, 100)].filter(Boolean).join('.')
  return names
    ? names.slice(0, 10).map((name) => rowError(code, at(name), error.message))
    : [rowError(code, path, error.message)]
}

const digest = (kind: string, text: string): string =>
  createHash('sha256').update(`${kind}:${text}`).digest('base64url').slice(0, 22)

/** The row as sent, without what a password could be found from. */
export function redacted(value: unknown): Record<string, unknown> {
  if (!isObject(value)) return {}
  const person = { ...value }
  for (const name of Object.keys(person)) {
    if (/password|secret|mfa_factors/i.test(name))
      person[name] = name === 'custom_password_hash' ? hidden(person[name]) : MASK
  }
  return person
}

const MASK = '*****'

/** The algorithm helps to find the mistake; hash, salt and key stay away. */
const hidden = (custom: unknown): unknown =>
  isObject(custom) && typeof custom.algorithm === 'string'
    ? { algorithm: custom.algorithm.slice(0, 32), hash: { value: MASK } }
    : MASK
