/**
 * Passkeys as a first factor: a discoverable credential with user verification, which names its person itself. Nobody
 * types an address for it, so a page says nothing about who has one.
 *
 * Pages and the token endpoint share what is here; what differs is whom a challenge belongs to (`holder`).
 */
import { isDeepStrictEqual } from 'node:util'
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import { type Secrets, sameSecret } from '@tenantry/kernel/secrets.ts'
import type { RequestEnvironment } from '../environments/environment.ts'
import type { TenantLog } from '../logs/tenant-log.ts'
import type { Connection } from '../oauth/configuration.ts'
import { methodId } from '../resources/users/authentication-methods/rules.ts'
import { deviceName } from './device-name.ts'
import type { Attempt } from './password-check.ts'
import * as logins from './store.ts'
import * as ceremonies from './webauthn/ceremonies.ts'
import * as store from './webauthn/store.ts'

/** As at Auth0. */
export const PASSKEYS_PER_PERSON = 20

export interface PasskeyDependencies {
  database: Database
  clock: Clock
  secrets: Secrets
  tenantLog: TenantLog
}

/** Connections whose people may sign in with a passkey. */
export const passkeyConnections = (connections: Connection[]): Connection[] =>
  connections.filter(
    ({ strategy, options }) => strategy === 'auth0' && options.authentication_methods?.passkey?.enabled === true,
  )

/** What Auth0 does where nothing is said. */
export const passkeyOptions = ({ options }: Connection) => ({
  challenge_ui: 'both' as const,
  progressive_enrollment_enabled: true,
  local_enrollment_enabled: true,
  ...options.passkey_options,
})

/** What the browser is asked to sign with any passkey of this host. */
export async function offerPasskey(
  { database, clock }: PasskeyDependencies,
  environment: RequestEnvironment,
  holder: Buffer,
  seconds: number,
  /** What the answer must come with: it counts for nothing else. */
  details: Readonly<Record<string, string | null>> = {},
) {
  const now = clock.now()
  const [offered] = await database.once(environment.id, (tx) =>
    store.offerChallenge(
      tx,
      environment.id,
      {
        holder,
        purpose: 'sign-in',
        challenge: ceremonies.newChallenge(),
        user_id: null,
        details,
        expires_at: addSeconds(now, seconds),
      },
      now,
    ),
  )
  return ceremonies.requestOptions(ceremonies.relyingParty(environment), {
    challenge: offered!.challenge,
    userVerification: 'required',
    timeout: seconds * 1000,
  })
}

export type PasskeyCheck =
  | { outcome: 'right'; userId: string; connectionId: string; fromElsewhere: boolean; proof: logins.Proof }
  | { outcome: 'wrong' | 'blocked' }

/** The challenge is used up first, whatever comes of it; everything that does not fit has one answer. */
export async function checkPasskey(
  { database, clock, tenantLog }: PasskeyDependencies,
  environment: RequestEnvironment,
  attempt: Attempt,
  asked: {
    holder: Buffer
    connections: Connection[]
    given: unknown
    details?: Readonly<Record<string, string | null>>
  },
): Promise<PasskeyCheck> {
  const now = clock.now()
  const party = ceremonies.relyingParty(environment)
  const response = ceremonies.readResponse(asked.given)
  const ids = passkeyConnections(asked.connections).map(({ id }) => id)
  const { taken, passkey } = await database.inEnvironment(environment.id, async (tx) => {
    const [taken] = await store.takeChallenge(tx, asked.holder, 'sign-in', now)
    const [passkey] = response ? await store.findPasskey(tx, response.id, party.id, ids) : []
    return { taken, passkey }
  })
  const refuse = (description: string, outcome: 'wrong' | 'blocked' = 'wrong'): PasskeyCheck => {
    tenantLog.add(environment.id, {
      type: 'passkey_challenge_failed',
      ...attempt.asker,
      description,
      client_id: attempt.client.client_id,
      client_name: attempt.client.name,
      user_id: passkey?.user_id ?? null,
      connection_id: passkey?.connection_id ?? null,
      organization_id: attempt.organizationId ?? null,
    })
    return { outcome }
  }
  if (!taken || !isDeepStrictEqual(taken.details, asked.details ?? {}))
    return refuse('The challenge was used already, has run out, or was made for another sign-in.')
  if (!passkey) return refuse('The passkey is not known here.')
  const handle = response!.response.userHandle
  if (typeof handle !== 'string' || !passkey.user_handle || !sameSecret(handle, passkey.user_handle))
    return refuse('The passkey says that it serves somebody else.')
  const proven = await ceremonies.verifyAssertion(party, taken.challenge, response, passkey, 'required')
  if (proven.refused !== undefined) return refuse(proven.refused)
  const [used] = await database.once(environment.id, (tx) => store.recordUse(tx, passkey.id, proven, now))
  if (!used) return refuse('The count of uses went back: there is a copy of this passkey.')
  if (passkey.blocked) return refuse('The user is blocked', 'blocked')
  await database.once(environment.id, (tx) => logins.recordLogin(tx, passkey.user_id, now, attempt.asker.ip))
  const { authenticatorAttachment } = response as { authenticatorAttachment?: unknown }
  return {
    outcome: 'right',
    userId: passkey.user_id,
    connectionId: passkey.connection_id,
    fromElsewhere: authenticatorAttachment === 'cross-platform',
    proof: passkey,
  }
}

export interface Enrollment {
  environment: RequestEnvironment
  holder: Buffer
  purpose: 'enrollment' | 'sign-up'
  type: store.CredentialType
  demands: ceremonies.Demands
}

const ENROLLMENT_SECONDS = 600

/** What the browser is asked to make for a person. */
export async function offerEnrollment(
  { database, clock, secrets }: PasskeyDependencies,
  { environment, holder, purpose, type, demands }: Enrollment,
  person: { userId: string; name: string; displayName: string },
) {
  const now = clock.now()
  const party = ceremonies.relyingParty(environment)
  const { known, challenge } = await database.inEnvironment(environment.id, async (tx) => {
    const known = await store.listCredentials(tx, person.userId, party.id, store.ALL_TYPES)
    const [current] = await store.passwordOf(tx, person.userId)
    const [offered] = await store.offerChallenge(
      tx,
      environment.id,
      {
        holder,
        purpose,
        challenge: ceremonies.newChallenge(),
        user_id: person.userId,
        details: { type, password: current?.password ?? null },
        expires_at: addSeconds(now, ENROLLMENT_SECONDS),
      },
      now,
    )
    return { known, challenge: offered!.challenge }
  })
  return ceremonies.creationOptions(party, {
    challenge,
    user: {
      handle: ceremonies.userHandle(secrets, environment.id, person.userId),
      name: person.name,
      displayName: person.displayName,
    },
    known,
    demands,
    timeout: ENROLLMENT_SECONDS * 1000,
  })
}

/** @returns the new credential's id, or why there is none */
export async function enroll(
  { database, clock, secrets }: PasskeyDependencies,
  { environment, holder, purpose, type, demands }: Enrollment,
  asked: { userId: string; given: unknown; userAgent: string | undefined },
): Promise<ceremonies.Outcome<{ id: string }>> {
  const now = clock.now()
  const party = ceremonies.relyingParty(environment)
  const [taken] = await database.once(environment.id, (tx) => store.takeChallenge(tx, holder, purpose, now))
  if (!taken || taken.user_id !== asked.userId || taken.details.type !== type)
    return { refused: 'The challenge was used already, has run out, or was made for somebody else.' }
  const made = await ceremonies.verifyCreation(party, taken.challenge, asked.given, demands)
  if (made.refused !== undefined) return made
  return database.inEnvironment(environment.id, async (tx) => {
    const [person] = await store.holdPerson(tx, asked.userId)
    if (!person) return { refused: 'The user is blocked, or gone.' }
    // Whoever begins with a stolen password must not end with a key that outlives it.
    if (person.password !== taken.details.password) return { refused: 'The password was changed meanwhile.' }
    const [has] = await store.countCredentials(tx, asked.userId, type)
    if (has!.count >= PASSKEYS_PER_PERSON) return { refused: 'The user has as many as one person may have.' }
    const row = credentialOf({ environment, secrets }, made.credential, { type, ...asked })
    const [kept] = await store.insertCredential(tx, environment.id, row, now)
    return kept ? { id: kept.id } : { refused: 'The credential is known already.' }
  })
}

function credentialOf(
  { environment, secrets }: { environment: RequestEnvironment; secrets: Secrets },
  made: ceremonies.MadeCredential,
  whose: { type: store.CredentialType; userId: string; userAgent: string | undefined },
): store.NewCredential {
  const userAgent = whose.userAgent?.slice(0, 400) ?? null
  return {
    ...made,
    id: methodId(whose.type),
    type: whose.type,
    user_id: whose.userId,
    name: deviceName(userAgent) ?? null,
    user_handle: ceremonies.userHandle(secrets, environment.id, whose.userId),
    relying_party_identifier: ceremonies.relyingParty(environment).id,
    user_agent: userAgent,
  }
}

/** What somebody who has no account yet is asked to make. @param details what the answer is given back with */
export async function offerSignUp(
  { database, clock, secrets }: PasskeyDependencies,
  environment: RequestEnvironment,
  holder: Buffer,
  seconds: number,
  person: { userId: string; name: string; displayName: string },
  details: Record<string, unknown>,
) {
  const now = clock.now()
  const challenge = ceremonies.newChallenge()
  await database.once(environment.id, (tx) =>
    store.offerChallenge(
      tx,
      environment.id,
      { holder, purpose: 'sign-up', challenge, user_id: null, details, expires_at: addSeconds(now, seconds) },
      now,
    ),
  )
  return ceremonies.creationOptions(ceremonies.relyingParty(environment), {
    challenge,
    user: {
      handle: ceremonies.userHandle(secrets, environment.id, person.userId),
      name: person.name,
      displayName: person.displayName,
    },
    known: [],
    demands: ceremonies.PASSKEY,
    timeout: seconds * 1000,
  })
}

/**
 * The challenge is used up first, whatever comes of it.
 *
 * @returns the details it was offered with, and what keeps the passkey (it says whether it could); or why there is none
 */
export async function takeSignUp(
  { database, clock, secrets }: PasskeyDependencies,
  environment: RequestEnvironment,
  holder: Buffer,
  given: unknown,
  userAgent: string | undefined,
): Promise<
  ceremonies.Outcome<{ details: Record<string, unknown>; keep: (tx: Tx, userId: string) => Promise<boolean> }>
> {
  const now = clock.now()
  const [taken] = await database.once(environment.id, (tx) => store.takeChallenge(tx, holder, 'sign-up', now))
  if (!taken) return { refused: 'The challenge was used already, or has run out.' }
  const party = ceremonies.relyingParty(environment)
  const made = await ceremonies.verifyCreation(party, taken.challenge, given, ceremonies.PASSKEY)
  if (made.refused !== undefined) return made
  return {
    details: taken.details,
    async keep(tx, userId) {
      const row = credentialOf({ environment, secrets }, made.credential, { type: 'passkey', userId, userAgent })
      return (await store.insertCredential(tx, environment.id, row, now)).length > 0
    },
  }
}
