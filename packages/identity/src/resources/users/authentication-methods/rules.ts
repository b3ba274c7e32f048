/** Second factors: how they are made and what is kept of their secrets. */
import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { newId, randomBase32 } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { hashHandle, type Secrets } from '@tenantry/kernel/secrets.ts'
import { isEmailAddress } from '../../email-address.ts'
import { unsupported } from '../../inert.ts'
import { phoneNumber } from '../../phone-number.ts'
import { present } from '../../wire.ts'
import type { CreateMethod } from './schema.ts'
import type { MethodRow, MethodType, NewMethod } from './store.ts'

export const problems = defineProblems({
  inexistent_authentication_method: { status: 404, title: 'The authentication method does not exist.' },
  too_many_authentication_methods: { status: 409, title: 'A user has at most 20 authentication methods.' },
})

/** More are nobody's, and would be read at every sign-in. */
export const MOST = 20

/** Factors by Auth0's names, in the order in which they are offered. */
export const FACTORS = ['webauthn-roaming', 'webauthn-platform', 'otp', 'sms', 'email', 'recovery-code'] as const
export type FactorName = (typeof FACTORS)[number]

/** What a factor's methods are called in the list of a user's authentication methods. */
export const METHOD_TYPES: Record<FactorName, MethodType> = {
  otp: 'totp',
  sms: 'phone',
  email: 'email',
  'recovery-code': 'recovery-code',
  'webauthn-roaming': 'webauthn-roaming',
  'webauthn-platform': 'webauthn-platform',
}

/** Undefined for a passkey: it is a way to sign in. */
export const factorOf = (type: MethodType): FactorName | undefined =>
  FACTORS.find((name) => METHOD_TYPES[name] === type)

export const methodId = (type: MethodType): string => `${type}|${newId.authenticationMethod()}`

const context = (environmentId: string, id: string) => `${environmentId}/authentication-method/${id}`

/** @param secret base32, 160 bits as RFC 4226 §4 recommends unless it is given */
export function newTotp(
  secrets: Secrets,
  environmentId: string,
  userId: string,
  now: Date,
  secret = randomBase32(32),
): { row: NewMethod; secret: string } {
  const id = methodId('totp')
  const sealed = secrets.seal(context(environmentId, id), secret)
  return { row: { id, user_id: userId, type: 'totp', secret: sealed, created_at: now }, secret }
}

export const openTotp = (secrets: Secrets, environmentId: string, method: { id: string; secret: Uint8Array | null }) =>
  secrets.open(context(environmentId, method.id), method.secret!)

export const newContact = (
  type: 'email' | 'phone',
  userId: string,
  now: Date,
  contact: { email: string } | { phone_number: string },
): NewMethod => ({ id: methodId(type), user_id: userId, type, created_at: now, ...contact })

/** 120 bits: nothing to guess, so a plain hash is kept. */
export function newRecoveryCode(userId: string, now: Date): { row: NewMethod; code: string } {
  const code = randomBase32(24)
  const id = methodId('recovery-code')
  return { code, row: { id, user_id: userId, type: 'recovery-code', code_hash: recoveryHash(code), created_at: now } }
}

/** People type what they have written down: in small letters, in groups. */
export const recoveryHash = (typed: string): Buffer => hashHandle(typed.replace(/[\s-]+/g, '').toUpperCase())

const refuse = (reason: string) =>
  bodyProblems.invalid_body({ facts: { reason: `Payload validation error: ${reason}` } })

/**
 * A method that an administrator gives to somebody: it counts at once.
 *
 * @throws Problem `invalid_body`, `operation_not_supported`
 */
export function givenMethod(
  secrets: Secrets,
  environmentId: string,
  userId: string,
  asked: CreateMethod,
  now: Date,
): { row: NewMethod; totp_secret?: string } {
  if (asked.preferred_authentication_method === 'voice') throw unsupported('preferred_authentication_method')
  const given = { confirmed: true, enrolled_at: now, name: asked.name ?? null }
  switch (asked.type) {
    case 'totp': {
      const secret = asked.totp_secret
        ?.replace(/\s+/g, '')
        .toUpperCase()
        .replace(/(?<!=)=+$/, '')
      if (!secret || !/^[A-Z2-7]{16,128}$/.test(secret))
        throw refuse("'totp_secret' must be 16 to 128 letters of base32.")
      const { row } = newTotp(secrets, environmentId, userId, now, secret)
      return { row: { ...row, ...given }, totp_secret: secret }
    }
    case 'phone': {
      const number = phoneNumber(asked.phone_number ?? '')
      if (!number) throw refuse("'phone_number' must be a number as E.164 writes it, such as +15550100199.")
      return { row: { ...newContact('phone', userId, now, { phone_number: number }), ...given } }
    }
    case 'email': {
      const address = asked.email ?? ''
      if (!isEmailAddress(address)) throw refuse("'email' is not an e-mail address.")
      return { row: { ...newContact('email', userId, now, { email: address }), ...given } }
    }
    default:
      // A credential is worth something only with the browser that made it.
      throw unsupported(`type ${asked.type}`)
  }
}

/** Auth0 shows how a phone or an app is asked as methods of their own. */
const PARTS: Partial<Record<MethodType, string>> = { phone: 'sms', totp: 'totp' }

export function shownMethod(row: MethodRow) {
  const part = PARTS[row.type]
  const { id, type, confirmed, created_at, enrolled_at, last_auth_at, name, email, phone_number } = row
  const { credential_id, public_key, transports, relying_party_identifier, user_agent } = row
  return {
    ...present({
      name,
      email,
      phone_number,
      enrolled_at,
      last_auth_at,
      transports,
      relying_party_identifier,
      user_agent,
    }),
    ...present({
      key_id: credential_id,
      public_key: public_key && Buffer.from(public_key).toString('base64url'),
      credential_device_type: row.credential_device_type,
      credential_backed_up: row.credential_backed_up,
    }),
    ...(type === 'phone' ? { preferred_authentication_method: 'sms' } : {}),
    ...(part ? { authentication_methods: [{ type: part, id: id.replace(/^[^|]*/, part) }] } : {}),
    id,
    type,
    confirmed,
    created_at,
  }
}

const AUTH_METHODS: Partial<Record<MethodType, string>> = {
  phone: 'sms',
  totp: 'authenticator',
  'webauthn-roaming': 'webauthn-roaming',
  'webauthn-platform': 'webauthn-platform',
}

/** The same as Guardian shows it. */
export function shownEnrollment(row: MethodRow) {
  const { id, type, confirmed, name, phone_number, email, enrolled_at, last_auth_at } = row
  return {
    ...present({ name, phone_number, enrolled_at, identifier: email ?? phone_number, last_auth: last_auth_at }),
    ...(AUTH_METHODS[type] ? { auth_method: AUTH_METHODS[type] } : {}),
    id,
    type: type === 'totp' ? 'authenticator' : type === 'phone' ? 'sms' : type,
    status: confirmed ? 'confirmed' : 'pending',
  }
}
