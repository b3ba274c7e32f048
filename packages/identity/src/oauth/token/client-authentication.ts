/**
 * Who is calling the token or revocation endpoint (RFC 6749 §2.3). One method per request, secrets compared in constant
 * time, and the same refusal for an unknown client, a wrong secret and a method that is not the client's.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Problem } from '@tenantry/kernel/problem.ts'
import { sameSecret } from '@tenantry/kernel/secrets.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { Client, Configuration } from '../configuration.ts'
import { isText } from '../parameters.ts'
import { problems } from '../problems.ts'
import { ASSERTION_TYPE, checkInVain, claimedClient, requireAssertion } from './client-assertion.ts'

export interface Presented {
  authorization: string | undefined
  parameters: Readonly<Record<string, string>>
}

export interface AuthenticationDependencies {
  database: Database
  configuration: Configuration
  clock: Clock
}

type Find = (id: string) => Promise<Client | undefined>

/** @throws Problem `unauthenticated_client`, `invalid_request` */
export async function authenticateClient(
  deps: AuthenticationDependencies,
  environment: RequestEnvironment,
  presented: Presented,
): Promise<Client> {
  const { configuration } = deps
  let wasAtHand = false
  const find: Find = (id) => {
    wasAtHand = configuration.isAtHand(environment.id, id)
    return configuration.client(environment.id, id)
  }
  try {
    return await authenticate(deps, environment, presented, find)
  } catch (error) {
    // A client that does not exist is looked for in the database each time. The millisecond that this takes would tell
    // it from one that is in memory, so whoever is refused waits for one query either way (CWE-208).
    const isRefusal = error instanceof Problem && error.code === 'unauthenticated_client'
    if (isRefusal && wasAtHand) await configuration.lookForNobody(environment.id)
    throw error
  }
}

async function authenticate(
  deps: AuthenticationDependencies,
  environment: RequestEnvironment,
  { authorization, parameters }: Presented,
  find: Find,
): Promise<Client> {
  const basic = parseBasic(authorization)
  const { client_secret, client_assertion: assertion, client_assertion_type: type } = parameters
  const ways = [basic, client_secret, assertion ?? type].filter((way) => way !== undefined)
  if (ways.length > 1 || (basic && (parameters.client_id ?? basic.id) !== basic.id)) {
    throw problems.invalid_request({ facts: { reason: 'Authenticate the client in one way only.' } })
  }
  if (assertion !== undefined || type !== undefined) return byAssertion(deps, environment, parameters, find)
  const id = basic?.id ?? parameters.client_id
  const secret = basic?.secret ?? client_secret
  if (!id) throw problems.invalid_request({ facts: { reason: 'Missing required parameter: client_id' } })

  const client = await find(id)
  // An unknown client pays for a comparison as well.
  const matches = sameSecret(secret ?? '', client?.secret ?? '\0')
  if (!client || client.global) throw problems.unauthenticated_client({ internal: 'unknown client' })
  if (client.token_endpoint_auth_method === 'none') {
    if (secret !== undefined) throw refuse(client, 'a public client sent a secret')
    return client
  }
  // Its secret has stopped working: a copy of it must not be a second way in.
  if (client.token_endpoint_auth_method === null) {
    throw refuse(client, 'a client with keys came without an assertion')
  }
  // Auth0 takes a secret from the header and from the body alike, whichever of the two is registered.
  if (secret === undefined || client.secret === undefined || !matches) {
    throw refuse(client, 'wrong secret')
  }
  return client
}

async function byAssertion(
  deps: AuthenticationDependencies,
  environment: RequestEnvironment,
  parameters: Readonly<Record<string, string>>,
  find: Find,
): Promise<Client> {
  const { client_assertion: assertion, client_assertion_type: type } = parameters
  if (!assertion || type !== ASSERTION_TYPE) {
    const reason = `An assertion needs both client_assertion and client_assertion_type=${ASSERTION_TYPE}.`
    throw problems.invalid_request({ facts: { reason } })
  }
  const id = parameters.client_id ?? claimedClient(assertion)
  const client = id === undefined ? undefined : await find(id)
  if (!client || client.global || client.token_endpoint_auth_method !== null) {
    await checkInVain(assertion)
    if (!client || client.global) throw problems.unauthenticated_client({ internal: 'unknown client' })
    throw refuse(client, 'a client without keys sent an assertion')
  }
  await requireAssertion(deps, environment, client, assertion)
  return client
}

/** The tenant log tells of a client that exists; the answer does not. */
const refuse = (client: Client, internal: string) =>
  problems.unauthenticated_client({ internal, facts: { clientId: client.client_id } })

/** RFC 6749 §2.3.1: both halves are form-encoded before they are joined. */
function parseBasic(authorization: string | undefined): { id: string; secret: string } | undefined {
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization ?? '')?.[1]
  if (!encoded) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const at = text.indexOf(':')
  if (at < 0) throw problems.unauthenticated_client({ internal: 'malformed Basic credentials' })
  try {
    const decode = (part: string) => decodeURIComponent(part.replaceAll('+', ' '))
    const [id, secret] = [decode(text.slice(0, at)), decode(text.slice(at + 1))]
    if (!isText(id)) throw new URIError('The client_id is no text.')
    return { id, secret }
  } catch (cause) {
    throw problems.unauthenticated_client({ internal: 'malformed Basic credentials', cause })
  }
}
