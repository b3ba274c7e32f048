/**
 * What a client may say of itself when it registers (RFC 7591 §2): these members and no others. RFC 7591 would have the
 * others ignored; whoever sends a role, an audience or a lifetime and gets a 201 believes that it was given. What only
 * describes a client is taken, since those of MCP servers send it, and is not in the answer: nothing is kept of it.
 */
import type { CreateClient } from '../../resources/clients/schema.ts'
import { THIRD_PARTY_GRANTS } from '../../resources/clients/third-party.ts'
import { isObject } from '../../resources/inert.ts'
import { refuseAddress } from '../../resources/web-address.ts'
import { problems } from '../problems.ts'

export interface ClientMetadata {
  client_name?: string
  redirect_uris: string[]
  token_endpoint_auth_method: 'none' | 'client_secret_post' | 'client_secret_basic'
  grant_types: string[]
  response_types: string[]
  logo_uri?: string
}

const MEMBERS = [
  'client_name',
  'redirect_uris',
  'token_endpoint_auth_method',
  'grant_types',
  'response_types',
  'logo_uri',
]
/** What is asked for is asked again at each sign-in, where people agree to it, so `scope` gives nothing either. */
const DESCRIPTIVE = ['application_type', 'client_uri', 'contacts', 'scope', 'software_id', 'software_version']
const AUTH_METHODS = ['client_secret_post', 'client_secret_basic', 'none']
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

const refuse = (reason: string) => problems.invalid_client_metadata({ facts: { reason } })
const refuseRedirect = (reason: string) => problems.invalid_redirect_uri({ facts: { reason } })

/** @throws Problem `invalid_client_metadata`, `invalid_redirect_uri` */
export function readMetadata(body: unknown): ClientMetadata {
  if (!isObject(body)) throw refuse('Send the metadata of the client as a JSON object.')
  const unknown = Object.keys(body).find((name) => !MEMBERS.includes(name) && !DESCRIPTIVE.includes(name))
  if (unknown !== undefined) throw refuse(`The member ${unknown.slice(0, 60)} is not allowed.`)
  const { client_name, logo_uri, token_endpoint_auth_method: method = 'client_secret_post' } = body
  if (client_name !== undefined) refuseName(client_name)
  if (logo_uri !== undefined) refuseLogo(logo_uri)
  if (!AUTH_METHODS.includes(method as string)) {
    throw refuse(`token_endpoint_auth_method must be one of ${AUTH_METHODS.join(', ')}.`)
  }
  const grants = few('grant_types', THIRD_PARTY_GRANTS, body.grant_types)
  if (!grants.includes('authorization_code')) throw refuse('grant_types must hold authorization_code.')
  return {
    ...(client_name === undefined ? {} : { client_name: client_name as string }),
    redirect_uris: redirects(body.redirect_uris),
    token_endpoint_auth_method: method as ClientMetadata['token_endpoint_auth_method'],
    grant_types: grants,
    response_types: few('response_types', ['code'], body.response_types),
    ...(logo_uri === undefined ? {} : { logo_uri: logo_uri as string }),
  }
}

/** What becomes of it: a client that nothing was granted to, for people outside organizations. */
export function clientOf(metadata: ClientMetadata, id: string): CreateClient {
  const { redirect_uris, token_endpoint_auth_method: method, grant_types, logo_uri } = metadata
  const isNative = redirect_uris.some((address) => !address.toLowerCase().startsWith('https:'))
  return {
    // RFC 7591 §2: without a name people are shown the id, not a name that sounds chosen.
    name: metadata.client_name ?? id,
    app_type: isNative ? 'native' : method === 'none' ? 'spa' : 'regular_web',
    callbacks: redirect_uris,
    token_endpoint_auth_method: method,
    grant_types,
    is_first_party: false,
    organization_usage: 'deny',
    ...(logo_uri === undefined ? {} : { logo_uri }),
  }
}

/** People read it where they are asked whether they agree: nothing in it may hide or turn other words around. */
function refuseName(name: unknown): void {
  if (typeof name !== 'string' || name.trim() === '' || name.length > 200) {
    throw refuse('client_name must be a text of 1 to 200 characters.')
  }
  if (/[<>\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/u.test(name)) {
    throw refuse('client_name holds a character that names cannot have.')
  }
}

function refuseLogo(address: unknown): void {
  if (typeof address !== 'string' || address.length > 2048) throw refuse('logo_uri must be an address.')
  const wrong = refuseAddress(address) ?? (/^https:/i.test(address) ? undefined : 'must start with https://')
  if (wrong) throw refuse(`logo_uri ${wrong}.`)
}

/** @returns all of them when nothing is asked */
function few(member: string, allowed: string[], asked: unknown): string[] {
  if (asked === undefined) return allowed
  if (!Array.isArray(asked) || asked.length === 0 || asked.some((value) => !allowed.includes(value))) {
    throw refuse(`${member} must be a list of ${allowed.join(', ')}.`)
  }
  return [...new Set(asked)]
}

function redirects(asked: unknown): string[] {
  if (!Array.isArray(asked) || asked.length === 0 || asked.length > 10) {
    throw refuseRedirect('redirect_uris must be a list of 1 to 10 addresses.')
  }
  for (const address of asked) {
    if (typeof address !== 'string' || address.length === 0 || address.length > 2048) {
      throw refuseRedirect('Each of redirect_uris must be a text of 1 to 2048 characters.')
    }
    const wrong = refuseAddress(address, { privateSchemes: true })
    if (wrong) throw refuseRedirect(`An address in redirect_uris ${wrong}.`)
    // RFC 8252 §8.3: a code that crosses a network in clear is anybody's.
    if (/^http:/i.test(address) && !LOOPBACK.includes(new URL(address).hostname)) {
      throw refuseRedirect('An address in redirect_uris must start with https://, unless it leads to this machine.')
    }
  }
  return asked
}
