/**
 * AWS Signature Version 4, the server's side: who a request claims to be from, and whether its signature says so. What
 * is signed is computed from the bytes that came, never from a parsed form: two readings of one request would let
 * somebody sign the first and be served the second.
 */
import { problems } from '../problems.ts'

/** A request as it arrived. */
export interface RawRequest {
  readonly method: string
  /** Path and query, still encoded. */
  readonly target: string
  /** Names and values in turn, as Node gives them. */
  readonly rawHeaders: readonly string[]
}

/** What a request says about its signature, before any of it is believed. */
export interface Claim {
  readonly accessKeyId: string
  /** `20261130/local/apigateway/aws4_request`. */
  readonly scope: string
  readonly date: string
  readonly region: string
  readonly service: string
  /** `20261130T091500Z`. */
  readonly timestamp: string
  /** How long a presigned address holds; `null`: the signature is in a header. */
  readonly expiresSeconds: number | null
  readonly signedHeaders: readonly string[]
  readonly signature: string
  /** What `x-amz-content-sha256` says of the body; `null`: nothing. */
  readonly contentSha256: string | null
  /** By lower-case name; every header occurs once. */
  readonly headers: ReadonlyMap<string, string>
}

const algorithm = 'AWS4-HMAC-SHA256'
const longestExpiry = 7 * 24 * 3600

const incomplete = (reason: string) => problems.IncompleteSignatureException({ facts: { reason } })

/** @throws Problem MissingAuthenticationTokenException, IncompleteSignatureException, UnrecognizedClientException */
export function readClaim({ target, rawHeaders }: RawRequest): Claim {
  const headers = readHeaders(rawHeaders)
  const query = target.includes('?') ? presignedMembers(target.slice(target.indexOf('?') + 1)) : new Map()
  const isPresigned = query.has('x-amz-signature') || query.has('x-amz-algorithm')
  const authorization = headers.get('authorization')
  if (authorization !== undefined && isPresigned) throw incomplete('A request is signed in its header or in its query.')
  if (authorization === undefined && !isPresigned) throw problems.MissingAuthenticationTokenException()
  // Keys of ours are not temporary, so a session token belongs to somebody else's.
  if (headers.has('x-amz-security-token') || query.has('x-amz-security-token')) {
    throw problems.UnrecognizedClientException()
  }
  const given = isPresigned ? query : authorizationMembers(authorization!)
  const member = (name: string, form: RegExp): string => {
    const value = given.get(name)
    if (value === undefined || !form.test(value)) {
      throw incomplete(`Authorization requires '${isPresigned ? `X-Amz-${name.slice(6)}` : name}' in its proper form.`)
    }
    return value
  }
  const [credential, signedHeaders, signature] = isPresigned
    ? (['x-amz-credential', 'x-amz-signedheaders', 'x-amz-signature'] as const)
    : (['Credential', 'SignedHeaders', 'Signature'] as const)
  if (isPresigned) member('x-amz-algorithm', new RegExp(`^${algorithm}$`))
  const [accessKeyId, ...scope] = member(credential, /^[A-Za-z0-9]{16,128}(\/[A-Za-z0-9_-]+){4}$/).split('/')
  const [date, region, service, terminator] = scope as [string, string, string, string]
  if (terminator !== 'aws4_request') {
    throw incomplete("Credential should be scoped with a valid terminator: 'aws4_request'.")
  }
  const timestamp = isPresigned ? query.get('x-amz-date') : headers.get('x-amz-date')
  if (timestamp === undefined || !/^\d{8}T\d{6}Z$/.test(timestamp)) {
    throw incomplete("Authorization requires existence of an 'X-Amz-Date' in the form 20261130T091500Z.")
  }
  const expires = isPresigned ? Number(member('x-amz-expires', /^[1-9]\d{0,6}$/)) : null
  if (expires !== null && expires > longestExpiry) throw incomplete('X-Amz-Expires must be at most 604800 seconds.')
  return {
    accessKeyId: accessKeyId!,
    scope: scope.join('/'),
    date,
    region,
    service,
    timestamp,
    expiresSeconds: expires,
    signedHeaders: readSignedHeaders(member(signedHeaders, /^[a-z0-9-]+(;[a-z0-9-]+)*$/), headers),
    signature: member(signature, /^[0-9a-f]{64}$/),
    contentSha256: (isPresigned ? query.get('x-amz-content-sha256') : headers.get('x-amz-content-sha256')) ?? null,
    headers,
  }
}

function readHeaders(raw: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    // Which of two is signed and which one is used must not be a question.
    if (headers.has(name)) throw incomplete(`The header '${name.slice(0, 60)}' is sent more than once.`)
    headers.set(name, raw[i + 1]!)
  }
  return headers
}

function authorizationMembers(value: string): ReadonlyMap<string, string> {
  const [scheme, rest] = [value.slice(0, value.indexOf(' ')), value.slice(value.indexOf(' ') + 1)]
  if (scheme !== algorithm) throw incomplete(`The signing algorithm must be ${algorithm}.`)
  const members = new Map<string, string>()
  for (const part of rest.split(',')) {
    const at = part.indexOf('=')
    const name = part.slice(0, at).trim()
    if (at < 0 || members.has(name)) throw incomplete('The Authorization header is not a list of single members.')
    members.set(name, part.slice(at + 1).trim())
  }
  return members
}

/** The `X-Amz-…` members of a query, by lower-case name. */
function presignedMembers(query: string): ReadonlyMap<string, string> {
  const members = new Map<string, string>()
  for (const pair of query.split('&')) {
    const at = pair.indexOf('=')
    const name = (at < 0 ? pair : pair.slice(0, at)).toLowerCase()
    if (!name.startsWith('x-amz-')) continue
    if (members.has(name)) throw incomplete(`The parameter '${name.slice(0, 60)}' is sent more than once.`)
    members.set(name, decoded(at < 0 ? '' : pair.slice(at + 1)))
  }
  return members
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw incomplete('A parameter of the query is not valid percent-encoded UTF-8.')
  }
}

function readSignedHeaders(text: string, headers: ReadonlyMap<string, string>): readonly string[] {
  const names = text.split(';')
  if (names.some((name, i) => i > 0 && names[i - 1]! >= name)) {
    throw incomplete('SignedHeaders must be in alphabetical order, each name once.')
  }
  const absent = names.find((name) => !headers.has(name))
  if (absent !== undefined) throw incomplete(`The signed header '${absent}' is missing from the request.`)
  // Without these, a signature could be taken to another host or given another time.
  const unsigned = ['host', ...[...headers.keys()].filter((name) => name.startsWith('x-amz-'))].find(
    (name) => !names.includes(name),
  )
  if (unsigned !== undefined) throw incomplete(`The header '${unsigned}' must be a 'SignedHeader'.`)
  return names
}
