/**
 * Who is calling the token or revocation endpoint (RFC 6749 §2.3). One method per request, secrets compared in constant
 * time, and the same refusal for an unknown client, a wrong secret and a method that is not the client's.
 */
import { sameSecret } from '@tenantry/kernel/secrets.ts'
import type { Client, Configuration } from '../configuration.ts'
import { problems } from '../problems.ts'

export interface Presented {
  authorization: string | undefined
  parameters: Readonly<Record<string, string>>
}

/** @throws Problem `unauthenticated_client`, `invalid_request` */
export async function authenticateClient(
  configuration: Configuration,
  environmentId: string,
  { authorization, parameters }: Presented,
): Promise<Client> {
  const basic = parseBasic(authorization)
  if (basic && (parameters.client_secret !== undefined || (parameters.client_id ?? basic.id) !== basic.id)) {
    throw problems.invalid_request({ facts: { reason: 'Authenticate the client in one way only.' } })
  }
  const id = basic?.id ?? parameters.client_id
  const secret = basic?.secret ?? parameters.client_secret
  if (!id) throw problems.invalid_request({ facts: { reason: 'Missing required parameter: client_id' } })

  const client = await configuration.client(environmentId, id)
  // An unknown client pays for a comparison as well.
  const matches = sameSecret(secret ?? '', client?.secret ?? '\0')
  if (!client || client.global) throw problems.unauthenticated_client({ internal: 'unknown client' })
  if (client.token_endpoint_auth_method === 'none') {
    if (secret !== undefined) throw problems.unauthenticated_client({ internal: 'a public client sent a secret' })
    return client
  }
  // Auth0 takes a secret from the header and from the body alike, whichever of the two is registered.
  if (secret === undefined || client.secret === undefined || !matches) {
    throw problems.unauthenticated_client({ internal: 'wrong secret' })
  }
  return client
}

/** RFC 6749 §2.3.1: both halves are form-encoded before they are joined. */
function parseBasic(authorization: string | undefined): { id: string; secret: string } | undefined {
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization ?? '')?.[1]
  if (!encoded) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const at = text.indexOf(':')
  if (at < 0) throw problems.unauthenticated_client({ internal: 'malformed Basic credentials' })
  try {
    const decode = (part: string) => decodeURIComponent(part.replaceAll('+', ' '))
    return { id: decode(text.slice(0, at)), secret: decode(text.slice(at + 1)) }
  } catch (cause) {
    throw problems.unauthenticated_client({ internal: 'malformed Basic credentials', cause })
  }
}
