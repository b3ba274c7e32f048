/** SQL of signing in with a code that was sent. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Proof } from '../store.ts'

export interface CodeKey {
  connectionId: string
  clientId: string
  recipientKey: string
  boundTo: Buffer
}

const isFor = (tx: Tx, { connectionId, clientId, recipientKey, boundTo }: CodeKey) => tx`
  connection_id = ${connectionId} and client_id = ${clientId} and recipient_key = ${recipientKey} and bound_to = ${boundTo}`

/** Takes the place of whatever was sent before. */
export const put = (tx: Tx, environmentId: string, key: CodeKey, codeHash: Buffer, expiresAt: Date) => tx`
  insert into passwordless_codes as c (environment_id, connection_id, client_id, recipient_key, bound_to, code_hash,
    expires_at)
  values (${environmentId}, ${key.connectionId}, ${key.clientId}, ${key.recipientKey}, ${key.boundTo}, ${codeHash},
    ${expiresAt})
  on conflict (environment_id, connection_id, client_id, recipient_key, bound_to)
    do update set code_hash = excluded.code_hash, expires_at = excluded.expires_at, attempts = 0`

/** Counts a try before it is compared. @returns no row when there is nothing (any more) to compare with */
export const attempt = (tx: Tx, key: CodeKey, now: Date, most: number) => tx<{ code_hash: Uint8Array }[]>`
  update passwordless_codes set attempts = attempts + 1
  where ${isFor(tx, key)} and expires_at > ${now} and attempts < ${most}
  returning code_hash`

export const giveBack = (tx: Tx, key: CodeKey) => tx`
  update passwordless_codes set attempts = attempts - 1 where ${isFor(tx, key)} and attempts > 0`

/** Of any number of right answers one gets a row. */
export const take = (tx: Tx, key: CodeKey, codeHash: Uint8Array) => tx<{ taken: number }[]>`
  delete from passwordless_codes where ${isFor(tx, key)} and code_hash = ${Buffer.from(codeHash)} returning 1 as taken`

export interface Known extends Proof {
  user_id: string
  blocked: boolean
}

/** Whose address or number it is, in this connection. */
export const find = (tx: Tx, connectionId: string, strategy: 'email' | 'sms', recipientKey: string) => tx<Known[]>`
  select i.provider, i.identity_id, i.user_id, u.blocked,
    case when i.is_primary then u.password_hash else i.password_hash end as password_hash
  from user_identities i join users u on u.user_id = i.user_id
  where i.connection_id = ${connectionId}
    and ${strategy === 'email' ? tx`i.email_key = ${recipientKey}` : tx`i.phone_key = ${recipientKey}`}`

/** A person who has proven an address or number for the first time. @returns no row when somebody has it already */
export const insertUser = (
  tx: Tx,
  environmentId: string,
  person: { user_id: string; connection_id: string; email: string | null; phone_number: string | null },
  now: Date,
) => {
  const name = person.email ?? person.phone_number!
  return tx<{ user_id: string }[]>`
    insert into users ${tx({
      environment_id: environmentId,
      ...person,
      email_verified: person.email !== null,
      phone_verified: person.phone_number === null ? null : true,
      name,
      nickname: name.split('@')[0]!,
      created_at: now,
      updated_at: now,
    })} returning user_id`
}

/** What was proven is said of the person, if it is their own address or number. */
export const recordProof = (tx: Tx, userId: string, recipientKey: string) => tx`
  update users set
    email_verified = email_verified or coalesce(lower(email) = ${recipientKey}, false),
    phone_verified = case when phone_number = ${recipientKey} then true else phone_verified end
  where user_id = ${userId}`
