/**
 * Security keys and the authenticator of a device as second factors (WebAuthn). The person is known, so the credentials
 * are named; a key is asked to be touched, a device to recognise its owner.
 */
import { parseJson } from '@tenantry/kernel/http/body.ts'
import { sameSecret } from '@tenantry/kernel/secrets.ts'
import { methodId } from '../../resources/users/authentication-methods/rules.ts'
import { deviceName } from '../device-name.ts'
import * as ceremonies from '../webauthn/ceremonies.ts'
import * as store from '../webauthn/store.ts'
import type { Factor } from './factor.ts'

const SECONDS = 300

export type WebauthnFactor = 'webauthn-roaming' | 'webauthn-platform'

const DEMANDS: Record<WebauthnFactor, ceremonies.Demands> = {
  'webauthn-roaming': { residentKey: 'discouraged', userVerification: 'discouraged', attachment: 'cross-platform' },
  'webauthn-platform': { residentKey: 'discouraged', userVerification: 'required', attachment: 'platform' },
}

/** What the browser says it was asked to sign. */
function challengeIn(value: string): string | undefined {
  const answer = ceremonies.readResponse(value)
  try {
    const told = parseJson(Buffer.from(String(answer?.response.clientDataJSON), 'base64url'))
    const { challenge } = told as { challenge?: unknown }
    return typeof challenge === 'string' ? challenge : undefined
  } catch {
    return undefined
  }
}

export const webauthn = (name: WebauthnFactor): Factor => ({
  name,

  enrol: async ({ clock }, { user }, { userAgent }) => ({
    id: methodId(name),
    user_id: user.user_id,
    type: name,
    name: deviceName(userAgent) ?? null,
    user_agent: userAgent?.slice(0, 400) ?? null,
    created_at: clock.now(),
  }),

  async challenge({ secrets }, tx, { environment, user }, method) {
    const party = ceremonies.relyingParty(environment)
    const challenge = ceremonies.newChallenge()
    const asked = { challenge, timeout: SECONDS * 1000 }
    const { credential_id, transports } = method
    const options =
      method.confirmed && credential_id
        ? ceremonies.requestOptions(party, {
            ...asked,
            allowed: [{ credential_id, transports }],
            userVerification: DEMANDS[name].userVerification,
          })
        : ceremonies.creationOptions(party, {
            ...asked,
            user: {
              handle: ceremonies.userHandle(secrets, environment.id, user.user_id),
              name: user.email ?? user.user_id,
              displayName: user.name ?? user.email ?? user.user_id,
            },
            known: await store.listCredentials(tx, user.user_id, party.id, store.ALL_TYPES),
            demands: DEMANDS[name],
          })
    return { expected: challenge, lifetimeSeconds: SECONDS, shown: { options } }
  },

  async verify({ clock }, tx, { person, method, value, redeem }) {
    const party = ceremonies.relyingParty(person.environment)
    const signed = challengeIn(value)
    const challenge = signed && (await redeem((expected) => sameSecret(expected, signed)))
    if (!challenge) return false
    if (!method.confirmed) {
      const made = await ceremonies.verifyCreation(party, challenge, value, DEMANDS[name])
      if (made.refused !== undefined) return false
      return (await store.fillCredential(tx, method.id, made.credential, party.id)).length > 0
    }
    const { credential_id, public_key, sign_count } = method
    if (!credential_id || !public_key) return false
    const known = { credential_id, public_key, sign_count: Number(sign_count) }
    const proven = await ceremonies.verifyAssertion(party, challenge, value, known, DEMANDS[name].userVerification)
    if (proven.refused !== undefined) return false
    return (await store.recordUse(tx, method.id, proven, clock.now())).length > 0
  },
})
