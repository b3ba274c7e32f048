/**
 * POST /passkey/register: signing up with a passkey on an application's own pages. The profile waits with the challenge;
 * the account is made, with the passkey, when the answer comes to the token endpoint (grants/webauthn.ts), or not at all.
 *
 * As with /dbconnections/signup the address is not proven by that, and says so in the tokens (`email_verified`). Its owner
 * who signs up later gets a mail with which they choose a password, and passkeys from before are gone then.
 */

import { toProblem } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { newId, randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import { offerSignUp, takeSignUp } from '../login/passkeys.ts'
import { type AskedSignUp, signUp, takesSignUps } from '../login/sign-up.ts'
import * as connections from '../resources/connections/store.ts'
import { isEmailAddress } from '../resources/email-address.ts'
import { identityOf, registered } from '../resources/users/rules.ts'
import type { Connection } from './configuration.ts'
import { readParameters } from './parameters.ts'
import { AUTH_SESSION_SECONDS, passkeyClient, passkeyRealm } from './passkey.ts'
import { problems } from './problems.ts'
import { flawOfMetadata } from './signup.ts'
import type { ProvenPerson } from './token/direct.ts'
import type { TokenDependencies, TokenRequest } from './token/token.ts'

/** All that may be said of oneself; anything else (`email_verified`, `phone_number`, …) is refused, not dropped. */
const PROFILE = ['email', 'username', 'name', 'nickname', 'given_name', 'family_name', 'picture']

type Profile = Omit<AskedSignUp['profile'], 'password'>

const refuse = (reason: string) => problems.invalid_request({ facts: { reason } })

export const passkeySignUp = (deps: TokenDependencies) => async (app: Api) => {
  app.post('/passkey/register', { bodyLimit: 32 * 1024 }, async (request, reply) => {
    const { environment } = request
    const parameters = readParameters(request.body, ['user_profile', 'user_metadata'])
    const client = await passkeyClient(deps, request, parameters)
    const { connection, organizationId } = await passkeyRealm(deps.configuration, environment, client, parameters)
    if (!takesSignUps(connection, organizationId))
      throw problems.access_denied({ facts: { reason: 'Public signup is disabled' } })
    if (!(await deps.lockout.admitSignUp(environment.id, request.ip))) throw problems.too_many_sign_ups()
    const profile = readProfile(parameters)
    const user = await made(environment.id, connection, profile)

    const handle = randomHandle()
    const details = {
      client_id: client.client_id,
      connection_id: connection.id,
      organization_id: organizationId ?? null,
      profile: { ...profile, user_id: identityOf(user.user_id).identity_id },
    }
    const person = {
      userId: user.user_id,
      name: profile.username ?? profile.email,
      displayName: user.name ?? profile.email,
    }
    const options = await offerSignUp(deps, environment, hashHandle(handle), AUTH_SESSION_SECONDS, person, details)
    return reply.header('cache-control', 'no-store').send({ authn_params_public_key: options, auth_session: handle })
  })

  /** As it will be: what is wrong with a profile is told before a passkey is made for it. */
  async function made(environmentId: string, connection: Connection, profile: Profile) {
    const row = await deps.database.inEnvironment(environmentId, (tx) => connections.get(tx, connection.id))
    const user_id = newId.databaseUser()
    try {
      return registered({ ...profile, user_id, connection: connection.name }, row, null, deps.clock.now())
    } catch (error) {
      const problem = toProblem(error)
      throw problem.status >= 500 ? error : refuse(String(problem.facts.reason ?? problem.message))
    }
  }
}

/** @throws Problem `invalid_request` */
function readProfile({ user_profile, user_metadata }: Readonly<Record<string, string>>): Profile {
  const said = objectOf('user_profile', user_profile)
  for (const [name, value] of Object.entries(said)) {
    if (!PROFILE.includes(name)) throw refuse(`The member user_profile.${name.slice(0, 60)} is not allowed.`)
    if (typeof value !== 'string' || value.length > (name === 'picture' ? 2048 : 254))
      throw refuse(`user_profile.${name} must be a text that is not too long.`)
  }
  const { email, ...others } = said as Record<string, string>
  if (!email || !isEmailAddress(email.trim())) throw refuse('user_profile.email must be an e-mail address.')
  const metadata = user_metadata === undefined ? undefined : objectOf('user_metadata', user_metadata)
  const flaw = flawOfMetadata(metadata)
  if (flaw) throw refuse(flaw)
  return { ...others, email: email.trim(), ...(metadata ? { user_metadata: metadata } : {}) }
}

function objectOf(name: string, text: string | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? '')
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {}
  throw refuse(`The parameter ${name} must be an object.`)
}

/**
 * The answer of the authenticator: an account with its passkey.
 *
 * @throws Problem `invalid_passkey`, and `invalid_signup` where there is such an account
 */
export async function finishPasskeySignUp(
  deps: TokenDependencies,
  request: TokenRequest,
  { connection, organizationId }: { connection: Connection; organizationId: string | undefined },
  answer: { holder: Buffer; given: string },
): Promise<Pick<ProvenPerson, 'userId' | 'connectionId' | 'proof'>> {
  const { environment, client, asker, browser } = request
  const taken = await takeSignUp(deps, environment, answer.holder, answer.given, browser.userAgent)
  if (taken.refused !== undefined) throw problems.invalid_passkey({ internal: taken.refused })
  const { profile, ...place } = taken.details as { profile: Profile; [place: string]: unknown }
  const isSame =
    place.client_id === client.client_id &&
    place.connection_id === connection.id &&
    place.organization_id === (organizationId ?? null)
  if (!isSame || !takesSignUps(connection, organizationId)) {
    throw problems.invalid_passkey({ internal: 'the challenge was made for another sign-up, or they are off now' })
  }
  const signedUp = await signUp(deps, {
    environment,
    asker,
    client,
    connection,
    organizationId,
    profile,
    async keep(tx, userId) {
      if (!(await taken.keep(tx, userId)))
        throw problems.invalid_passkey({ internal: 'the credential is known already' })
    },
  })
  if (signedUp.outcome === 'denied') throw problems.access_denied({ facts: { reason: signedUp.message } })
  if (signedUp.outcome !== 'created') throw problems.invalid_signup({ internal: signedUp.outcome })
  const { user_id: userId } = signedUp.user
  return { userId, connectionId: connection.id, proof: { ...identityOf(userId), password_hash: null } }
}
