/**
 * A person's access token as it is presented for an exchange. The signature is checked with this environment's keys, the
 * issuer is this one; an ID token, a machine's token and any other JWT of ours are none (RFC 8725 §3.11).
 */
import { decodeJwt } from 'jose'
import { verifyJwt } from '../../keys/jwt.ts'
import { problems } from '../problems.ts'
import type { TokenRequest } from './token.ts'

/** RFC 8693 §4.1: who acts, and before them whoever acted earlier. */
export interface Actor {
  sub: string
  act?: Actor
}

export interface SubjectToken {
  userId: string
  /** The client that it was issued to. */
  clientId: string
  organizationId: string | null
  audiences: string[]
  scope: string[]
  actor: Actor | undefined
  issuedAt: Date
  expiresAt: Date
}

const LARGEST = 16 * 1024
/** As many services as one call may go through; each of them is named in the token. */
export const LONGEST_CHAIN = 5

const refuse = (internal: string, cause?: unknown) => problems.invalid_subject_token({ internal, cause })

/** @throws Problem `invalid_subject_token` */
export async function readSubjectToken(
  { environment, keyring, now }: Pick<TokenRequest, 'environment' | 'keyring' | 'now'>,
  token: string,
): Promise<SubjectToken> {
  if (token.length > LARGEST) throw refuse('too long')
  const claims = await verify()
  const { sub, azp, client_id, org_id, scope, act, iat, exp } = claims
  const clientId = azp ?? client_id
  if (typeof sub !== 'string' || sub.endsWith('@clients')) throw refuse('it speaks for no person')
  if (typeof clientId !== 'string' || typeof scope !== 'string') throw refuse('it is no access token')
  if (org_id !== undefined && typeof org_id !== 'string') throw refuse('malformed')
  const userinfo = `${environment.issuer}userinfo`
  const audiences = [claims.aud].flat().filter((aud): aud is string => typeof aud === 'string' && aud !== userinfo)
  return {
    userId: sub,
    clientId,
    organizationId: org_id ?? null,
    audiences,
    scope: scope.split(' ').filter(Boolean),
    actor: act === undefined ? undefined : readActor(act, 1),
    issuedAt: new Date(iat! * 1000),
    expiresAt: new Date(exp! * 1000),
  }

  async function verify() {
    try {
      const claimed = [decodeJwt(token).aud].flat().filter((aud) => typeof aud === 'string')
      // Which audience counts is for the exchange to say; here only that the token is ours.
      return await verifyJwt(keyring, token, { issuers: [environment.issuer], audiences: claimed, now })
    } catch (cause) {
      throw refuse('it does not verify', cause)
    }
  }
}

function readActor(value: unknown, depth: number): Actor {
  const { sub, act } = (value ?? {}) as { sub?: unknown; act?: unknown }
  if (typeof sub !== 'string') throw refuse('malformed actor')
  if (depth >= LONGEST_CHAIN) throw refuse('the chain of actors is too long')
  return act === undefined ? { sub } : { sub, act: readActor(act, depth + 1) }
}
