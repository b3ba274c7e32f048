/** SQL of WebAuthn: challenges under way, credentials, and who does not want to be asked for one now. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import type { Proof } from '../store.ts'
import type { MadeCredential } from './ceremonies.ts'

export type Purpose = 'sign-in' | 'second-factor' | 'enrollment' | 'sign-up'
export type CredentialType = 'passkey' | 'webauthn-roaming' | 'webauthn-platform'

export interface NewChallenge {
  holder: Buffer
  purpose: Purpose
  challenge: string
  user_id: string | null
  details: Record<string, unknown>
  expires_at: Date
}

/**
 * A page that is loaded again, or open in two tabs, shows the challenge that is already waiting: what is used up decides,
 * not what was shown last. One that must fit something else by now is another one.
 */
export const offerChallenge = (tx: Tx, environmentId: string, given: NewChallenge, now: Date) => tx<
  { challenge: string }[]
>`
  insert into webauthn_challenges as c (environment_id, holder, purpose, challenge, user_id, details, expires_at)
  values (${environmentId}, ${given.holder}, ${given.purpose}, ${given.challenge}, ${given.user_id},
    ${tx.json(given.details as JSONValue)}, ${given.expires_at})
  on conflict (environment_id, holder, purpose) do update set
    challenge = case when c.expires_at > ${now} and c.user_id is not distinct from excluded.user_id
      and c.details = excluded.details
      then c.challenge else excluded.challenge end,
    user_id = excluded.user_id, details = excluded.details,
    expires_at = greatest(c.expires_at, excluded.expires_at)
  returning challenge`

export interface TakenChallenge {
  challenge: string
  user_id: string | null
  details: Record<string, unknown>
}

/** Of any number of answers one gets a row, right or wrong: a challenge is tried once. */
export const takeChallenge = (tx: Tx, holder: Buffer, purpose: Purpose, now: Date) => tx<TakenChallenge[]>`
  with taken as (
    delete from webauthn_challenges where holder = ${holder} and purpose = ${purpose}
    returning challenge, user_id, details, expires_at)
  select challenge, user_id, details from taken where expires_at > ${now}`

export interface CredentialRow {
  id: string
  user_id: string
  credential_id: string
  public_key: Uint8Array
  sign_count: number
  user_handle: string | null
  transports: string[] | null
}

export interface PasskeyRow extends CredentialRow, Proof {
  blocked: boolean
  connection_id: string
}

/** A passkey of a person who may come in by one of these connections; their own before a linked one. */
export const findPasskey = (tx: Tx, credentialId: string, partyId: string, connectionIds: string[]) => tx<PasskeyRow[]>`
  select m.id, m.user_id, m.credential_id, m.public_key, m.sign_count::float8 as sign_count, m.user_handle, m.transports,
    u.blocked, i.connection_id, i.provider, i.identity_id,
    case when i.is_primary then u.password_hash else i.password_hash end as password_hash
  from authentication_methods m
  join users u on u.user_id = m.user_id
  join user_identities i on i.user_id = m.user_id and i.connection_id = any(${connectionIds}::text[])
  where m.credential_id = ${credentialId} and m.type = 'passkey' and m.confirmed
    and m.relying_party_identifier = ${partyId}
  order by i.is_primary desc, array_position(${connectionIds}::text[], i.connection_id) limit 1`

/** A person's credentials at one host, of these types. */
export const listCredentials = (tx: Tx, userId: string, partyId: string, types: readonly CredentialType[]) => tx<
  (CredentialRow & { type: CredentialType })[]
>`
  select id, type, user_id, credential_id, public_key, sign_count::float8 as sign_count, user_handle, transports
  from authentication_methods
  where user_id = ${userId} and type = any(${types as string[]}::text[]) and confirmed
    and credential_id is not null and relying_party_identifier = ${partyId}
  order by created_at, id`

/** All that are known of a person at one host: an authenticator that has one is not asked to make another. */
export const ALL_TYPES: readonly CredentialType[] = ['passkey', 'webauthn-roaming', 'webauthn-platform']

/**
 * Notes a use. The count is compared once more, with the row held: of two answers with one count, which only a copy of the
 * key could give, the second gets no row.
 */
export const recordUse = (tx: Tx, id: string, used: { signCount: number; backedUp: boolean }, now: Date) => tx<
  { id: string }[]
>`
  update authentication_methods set sign_count = ${used.signCount}, credential_backed_up = ${used.backedUp},
    last_auth_at = ${now}
  where id = ${id} and confirmed
    and ((sign_count = 0 and ${used.signCount} = 0) or sign_count < ${used.signCount})
  returning id`

export interface NewCredential extends MadeCredential {
  id: string
  type: CredentialType
  user_id: string
  name: string | null
  user_handle: string
  relying_party_identifier: string
  user_agent: string | null
}

/**
 * Held until the transaction ends: two enrolments of one person wait for each other, and a change of their password for
 * this one. No row for one who is blocked.
 */
export const holdPerson = (tx: Tx, userId: string) => tx<{ password: string }[]>`
  select ${passwordPrint(tx)} as password from users where user_id = ${userId} and not blocked for no key update`

/** By what an enrolment knows that the password is still the one with which it was begun. */
const passwordPrint = (tx: Tx) => tx`encode(sha256(convert_to(coalesce(password_hash, ''), 'utf8')), 'hex')`

export const passwordOf = (tx: Tx, userId: string) => tx<{ password: string }[]>`
  select ${passwordPrint(tx)} as password from users where user_id = ${userId}`

export const countCredentials = (tx: Tx, userId: string, type: CredentialType) => tx<{ count: number }[]>`
  select count(*)::int as count from authentication_methods where user_id = ${userId} and type = ${type}`

/** No row when the credential exists already, whoever has it. */
export const insertCredential = (tx: Tx, environmentId: string, made: NewCredential, now: Date) => tx<{ id: string }[]>`
  insert into authentication_methods ${tx({
    ...made,
    environment_id: environmentId,
    public_key: Buffer.from(made.public_key),
    confirmed: true,
    created_at: now,
    enrolled_at: now,
  })}
  on conflict (environment_id, credential_id) do nothing
  returning id`

/** An enrolment that was begun gets its credential. No row when that is known already, whoever has it. */
export const fillCredential = (tx: Tx, id: string, made: MadeCredential, partyId: string) => tx<{ id: string }[]>`
  update authentication_methods set ${tx({
    ...made,
    public_key: Buffer.from(made.public_key),
    relying_party_identifier: partyId,
  })}
  where id = ${id} and not confirmed and credential_id is null
    and not exists (select from authentication_methods m where m.credential_id = ${made.credential_id})
  returning id`

export interface EnrollmentState {
  has_passkey: boolean
  has_factor: boolean
  postponed: boolean
  name: string
  display_name: string
}

/** What decides whether a person is offered a passkey. */
export const enrollmentState = (tx: Tx, userId: string, partyId: string, now: Date) => tx<EnrollmentState[]>`
  select coalesce(u.email, u.username, u.phone_number, u.user_id) as name,
    coalesce(u.name, u.email, u.username, u.user_id) as display_name,
    exists (select from authentication_methods m where m.user_id = u.user_id and m.type = 'passkey' and m.confirmed
      and m.relying_party_identifier = ${partyId}) as has_passkey,
    exists (select from authentication_methods m where m.user_id = u.user_id and m.type <> 'passkey' and m.confirmed)
      as has_factor,
    exists (select from passkey_postponements p where p.user_id = u.user_id and p.until > ${now}) as postponed
  from users u where u.user_id = ${userId}`

export const postpone = (tx: Tx, environmentId: string, userId: string, until: Date) => tx`
  insert into passkey_postponements (environment_id, user_id, until) values (${environmentId}, ${userId}, ${until})
  on conflict (environment_id, user_id) do update set until = excluded.until`

export const dropPasskeys = (tx: Tx, userId: string) => tx`
  delete from authentication_methods where user_id = ${userId} and type = 'passkey'`
