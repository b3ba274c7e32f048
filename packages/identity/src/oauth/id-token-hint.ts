/** `id_token_hint`: an ID token of ours that an application shows again, to say whom it means. */
import { errors, jwtVerify } from 'jose'
import type { RequestEnvironment } from '../environments/environment.ts'
import { KEY_ALGORITHMS } from '../keys/jwt.ts'
import type { Keyring } from '../keys/keyring.ts'
import type { Client } from './configuration.ts'
import { problems } from './problems.ts'
import { secretKey } from './tokens/secret-key.ts'

export interface IdTokenHint {
  sub: string
  clientId: string
  sid: string | undefined
}

/**
 * An expired one is good (RP-Initiated Logout §2). Which key verifies is said by the request's environment and client,
 * never by what the token says of itself; without a client only the environment's own keys do.
 *
 * @throws Problem `invalid_request` for whatever is no ID token of this issuer
 */
export async function readIdTokenHint(
  keyring: Keyring,
  environment: RequestEnvironment,
  client: Client | undefined,
  hint: string,
): Promise<IdTokenHint> {
  const bySecret = client?.jwt_configuration.alg === 'HS256'
  const expected = { issuer: environment.issuer, currentDate: new Date(0), typ: 'JWT' }
  try {
    const { payload } = bySecret
      ? await jwtVerify(hint, secretKey(client), { ...expected, algorithms: ['HS256'] })
      : await jwtVerify(
          hint,
          (header) => {
            const key = keyring.byKid.get(header.kid ?? '')
            if (!key) throw new errors.JWKSNoMatchingKey()
            return key.publicKey
          },
          { ...expected, algorithms: [...KEY_ALGORITHMS] },
        )
    const { sub, aud, sid } = payload
    if (typeof sub !== 'string' || typeof aud !== 'string') throw refuseIdTokenHint()
    return { sub, clientId: aud, sid: typeof sid === 'string' ? sid : undefined }
  } catch (cause) {
    throw refuseIdTokenHint(cause)
  }
}

export const refuseIdTokenHint = (cause?: unknown) =>
  problems.invalid_request({ facts: { reason: 'The id_token_hint is not an ID token of this issuer.' }, cause })
