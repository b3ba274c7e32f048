/**
 * private_key_jwt (RFC 7523 §2.2 and §3, OIDC Core §9): a client proves who it is with a JWT that it signed. The key says
 * which algorithm is meant, never the header; the audience is this issuer or its token endpoint and nothing beside it
 * (CVE-2025-27370); and each assertion is good once.
 */
import { constants, createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto'
import { type Clock, epochSeconds } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { type DecodedToken, decodeToken } from '@tenantry/kernel/jws.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { AssertionKey, Client } from '../configuration.ts'
import { isText } from '../parameters.ts'
import { problems } from '../problems.ts'
import * as store from '../store.ts'

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

const MAX_LENGTH = 8192
/** An assertion is made for one request. What lives longer is a password, and its jti would have to be kept as long. */
const MAX_LIFETIME = 300
/** Clocks of two machines differ. */
const LEEWAY = 60

/** The tenant log tells of a client that exists, as it does of a wrong secret. */
const refuse = (internal: string, client?: Client) =>
  problems.unauthenticated_client({
    internal: `client assertion: ${internal}`,
    facts: client ? { clientId: client.client_id } : {},
  })

/** Whom an assertion claims to come from; believed by nobody before the signature is checked with that client's key. */
export function claimedClient(assertion: string): string | undefined {
  const { sub } = decode(assertion).claims
  return isText(sub) && sub.length > 0 && sub.length <= 64 ? sub : undefined
}

/**
 * What checking an assertion costs, for one that no client can have signed: the time of its refusal would tell which clients
 * exist and have keys (CWE-208).
 *
 * @throws Problem `unauthenticated_client` for what is no JWT
 */
export async function checkInVain(assertion: string): Promise<void> {
  await flawOfSignature([], decode(assertion), 0)
}

/** @throws Problem `unauthenticated_client` unless the client signed this assertion, for this issuer, and for the first time */
export async function requireAssertion(
  { database, clock }: { database: Database; clock: Clock },
  environment: RequestEnvironment,
  client: Client,
  assertion: string,
): Promise<void> {
  const unfit = (internal: string) => refuse(internal, client)
  const decoded = decode(assertion)
  const now = clock.now()
  const seconds = epochSeconds(now)
  const flaw = await flawOfSignature(client.assertionKeys, decoded, seconds)
  if (flaw) throw unfit(flaw)

  const { claims } = decoded
  const { iss, sub, aud, exp, iat, nbf, jti } = claims
  if (iss !== client.client_id || sub !== client.client_id) throw unfit('iss and sub must be the client')
  if (aud !== environment.issuer && aud !== `${environment.issuer}oauth/token`) throw unfit('wrong audience')
  if (!isDate(exp) || exp <= seconds - LEEWAY) throw unfit('expired')
  if (exp > seconds + MAX_LIFETIME + LEEWAY) throw unfit('lives too long')
  if (!isDate(iat) || iat > seconds + LEEWAY) throw unfit('iat is missing or in the future')
  if (nbf !== undefined && (!isDate(nbf) || nbf > seconds + LEEWAY)) throw unfit('not valid yet')
  if (typeof jti !== 'string' || jti.length === 0 || jti.length > 255) throw unfit('jti is missing or too long')
  const use = {
    client_id: client.client_id,
    jti_hash: hashHandle(jti),
    expires_at: new Date((exp + LEEWAY) * 1000),
  }
  const used = await database.once(environment.id, (tx) => store.useAssertion(tx, environment.id, use, now))
  if (used.length === 0) throw unfit('used before')
}

function decode(assertion: string) {
  if (assertion.length > MAX_LENGTH) throw refuse('too long')
  const decoded = decodeToken(assertion)
  if (typeof decoded === 'string') throw refuse(decoded)
  return decoded
}

/**
 * Whether a JWT is signed with one of a client's keys, and with which: the key says the algorithm. Keys in the header
 * (jwk, jku, x5u, x5c) are not looked at: the client's own are all there is.
 *
 * @returns what is wrong, or undefined
 */
export async function flawOfSignature(
  keys: AssertionKey[],
  { header, signed, signature }: DecodedToken,
  seconds: number,
): Promise<string | undefined> {
  const live = keys.filter(({ expires_at }) => expires_at === null || expires_at > seconds)
  const named = header.kid === undefined ? live : live.filter(({ kid }) => kid === header.kid)
  const fitting = named.filter(({ alg }) => alg === header.alg)
  // Without a kid the one key of that algorithm is meant; of two, the client must say which.
  if (fitting.length !== 1) {
    await verifies({ alg: 'RS256', key: NOBODYS_KEY }, signed, signature)
    return 'no live key of the client has this kid and algorithm'
  }
  return (await verifies(fitting[0]!, signed, signature)) ? undefined : 'the signature does not verify'
}

const DIGESTS = { RS256: 'sha256', RS384: 'sha384', PS256: 'sha256' }

/** A number of the size of a key. It verifies nothing, in the time in which a key of 2048 bits does. */
const NOBODYS_KEY = nobodysKey()

function nobodysKey(): KeyObject {
  const modulus = randomBytes(256)
  modulus[0]! |= 0x80
  modulus[255]! |= 1
  return createPublicKey({ key: { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' }, format: 'jwk' })
}

function verifies(
  { alg, key }: Pick<AssertionKey, 'alg' | 'key'>,
  signed: Buffer,
  signature: Buffer,
): Promise<boolean> {
  const padding =
    alg === 'PS256'
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : { padding: constants.RSA_PKCS1_PADDING }
  return new Promise((resolve) => {
    verify(DIGESTS[alg], signed, { key, ...padding }, signature, (error, valid) => resolve(!error && valid))
  })
}

const isDate = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value > 0
