/**
 * JAR (RFC 9101): a client signs its authorization request, so that nobody between it and us can change what is asked.
 * What is signed stands alone: parameters beside it are not read (§6.3), but for the client_id that finds the key. The key
 * is one that the client was registered with, and says the algorithm; `none` belongs to no key.
 */
import { type Clock, epochSeconds } from '@tenantry/kernel/clock.ts'
import { decodeToken } from '@tenantry/kernel/jws.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { Configuration } from '../configuration.ts'
import { isText, readParameters } from '../parameters.ts'
import { problems } from '../problems.ts'
import { flawOfSignature } from '../token/client-assertion.ts'

type Parameters = Readonly<Record<string, string>>

const MAX_LENGTH = 16 * 1024
const LEEWAY = 60
/** What a JWT says of itself; nothing of it is a parameter. */
const OF_THE_TOKEN = ['iss', 'aud', 'exp', 'iat', 'nbf', 'jti']
/** RFC 9101 §10.8: another kind of JWT of the same key must not pass. Both older spellings are in use. */
const TYPES = ['oauth-authz-req+jwt', 'jwt', undefined]

const refuse = (internal: string) => problems.invalid_request_object({ internal })

/**
 * @returns the parameters that are signed, or those that came where there is no request object
 * @throws Problem `invalid_request_object`, whose reader is the person: nothing that came can be trusted
 */
export async function openRequestObject(
  { configuration, clock }: { configuration: Configuration; clock: Clock },
  environment: RequestEnvironment,
  sent: Parameters,
): Promise<Parameters> {
  const { request: object, client_id: id } = sent
  const client = id ? await configuration.client(environment.id, id) : undefined
  // Of clients that are unknown, or have no such keys, the checks after this one speak.
  if (!client || (object === undefined && !client.requires_signed_requests)) return sent
  if (object === undefined) throw problems.unsigned_request()
  if (client.requestKeys.length === 0) return sent
  if (object.length > MAX_LENGTH) throw refuse('too long')
  const decoded = decodeToken(object)
  if (typeof decoded === 'string') throw refuse(decoded)
  const { header, claims } = decoded
  const seconds = epochSeconds(clock.now())
  const typ = typeof header.typ === 'string' ? header.typ.toLowerCase() : header.typ
  if (!TYPES.includes(typ as string | undefined)) throw refuse('another kind of JWT')
  const flaw = await flawOfSignature(client.requestKeys, decoded, seconds)
  if (flaw) throw refuse(flaw)

  const { iss, aud, exp, nbf, client_id } = claims
  if (iss !== id || client_id !== id) throw refuse('iss and client_id must be the client')
  if (![aud].flat().includes(environment.issuer)) throw refuse('another audience')
  if (typeof exp !== 'number' || exp <= seconds - LEEWAY) throw refuse('expired, or without an end')
  if (nbf !== undefined && (typeof nbf !== 'number' || nbf > seconds + LEEWAY)) throw refuse('not valid yet')
  if ('request' in claims || 'request_uri' in claims) throw refuse('a request object in a request object')
  // A client assertion is signed with the same key: it asks for nothing.
  if (typeof claims.response_type !== 'string') throw refuse('no request')
  const parameters: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(claims)) {
    if (OF_THE_TOKEN.includes(name)) continue
    if (!isText(value) && typeof value !== 'number') throw refuse(`${name.slice(0, 60)} is no text`)
    parameters[name] = String(value)
  }
  return readParameters(parameters)
}
