/**
 * AWS's JWT authorizer: one issuer, RSA signatures, registered claims, any-of scopes. Verified tokens are remembered
 * under their full text, so a request with a known token costs one lookup instead of one signature check. A token is
 * only ever remembered per authorizer: another one may expect another audience.
 */
import { verify } from 'node:crypto'
import { type DecodedToken, decodeToken } from '@tenantry/kernel/jws.ts'
import { LRUCache } from 'lru-cache'
import type { JwtAuthorizer } from '../api.ts'
import { type Head, singleField } from '../head.ts'
import { checkClaims, scopesOf } from './claims.ts'
import { createDiscover } from './discovery.ts'
import type { FetchJson } from './fetch-json.ts'
import { createKeySet, type KeyFault, type KeyLookup } from './key-set.ts'
import { algorithmRefused, type Refusal, refusals, scopeMissing, tokenAmbiguous, tokenMissing } from './refusals.ts'

export interface JwtDeps {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly fetchJson: FetchJson
  readonly onFault: (issuer: string, stage: KeyFault, error: unknown) => void
  /** Bytes of verified tokens to remember. */
  readonly cacheBytes: number
}

export interface Authorizer {
  /** `null` allows. Synchronous unless keys have to be fetched. */
  authorize(head: Head, query: string, scopes: readonly string[]): Refusal | null | Promise<Refusal | null>
}

/** What is remembered of a verified token: no more than the checks that can change their mind. */
interface VerifiedToken {
  readonly expiresAt: number
  readonly scopes: ReadonlySet<string>
}

const hashes: Readonly<Record<string, string>> = { RS256: 'sha256', RS384: 'sha384', RS512: 'sha512' }
const entryOverheadBytes = 512

export function createJwtAuthorizer(config: JwtAuthorizer, deps: JwtDeps): Authorizer {
  const verified = new LRUCache<string, VerifiedToken>({
    maxSize: deps.cacheBytes,
    sizeCalculation: ({ scopes }, token) => token.length + entryOverheadBytes + scopes.size * 64,
  })
  const keySet = createKeySet({
    issuer: config.issuer,
    discover: createDiscover(deps.fetchJson),
    fetchJson: deps.fetchJson,
    now: deps.now,
    onWithdrawn: () => verified.clear(),
    onFault: (stage, error) => deps.onFault(config.issuer, stage, error),
  })
  const readToken = identitySource(config)

  const conclude = (token: string, decoded: DecodedToken, hash: string, key: KeyLookup): VerifiedToken | Refusal => {
    if (typeof key === 'string') return refusals[key]
    if (!verify(hash, decoded.signed, key, decoded.signature)) return refusals.signature
    const reason = checkClaims(decoded.claims, config, deps.now() / 1000)
    if (reason !== null) return refusals[reason]
    const entry = { expiresAt: Number(decoded.claims.exp) * 1000, scopes: scopesOf(decoded.claims) }
    verified.set(token, entry)
    return entry
  }

  const verifyToken = (token: string): VerifiedToken | Refusal | Promise<VerifiedToken | Refusal> => {
    const decoded = decodeToken(token)
    if (typeof decoded === 'string') return refusals[decoded]
    const { alg, kid } = decoded.header
    const hash = typeof alg === 'string' && Object.hasOwn(hashes, alg) ? hashes[alg] : undefined
    if (hash === undefined) return algorithmRefused(alg)
    if (typeof kid !== 'string' || kid === '') return refusals.key_missing
    const key = keySet.lookup(kid)
    return key instanceof Promise
      ? key.then((found) => conclude(token, decoded, hash, found))
      : conclude(token, decoded, hash, key)
  }

  return {
    authorize: (head, query, scopes) => {
      const token = readToken(head, query)
      if (typeof token !== 'string') return token
      const remembered = verified.get(token)
      if (remembered !== undefined && keySet.isCurrent()) {
        return remembered.expiresAt <= deps.now() ? refusals.expired : checkScopes(remembered, scopes)
      }
      const result = verifyToken(token)
      return result instanceof Promise
        ? result.then((outcome) => ('status' in outcome ? outcome : checkScopes(outcome, scopes)))
        : 'status' in result
          ? result
          : checkScopes(result, scopes)
    },
  }
}

function checkScopes(token: VerifiedToken, asked: readonly string[]): Refusal | null {
  if (asked.length === 0) return null
  for (const scope of asked) if (token.scopes.has(scope)) return null
  return scopeMissing
}

const bearer = /^bearer +/i

// The value is the bare token or the token after `Bearer `. The prefix is taken off once: `Bearer Bearer x` is no token.
function identitySource({ identitySource: source }: JwtAuthorizer): (head: Head, query: string) => string | Refusal {
  const strip = (value: string): string =>
    value.startsWith('Bearer ') && value[7] !== ' ' ? value.slice(7) : value.replace(bearer, '')
  if (source.from === 'header') {
    return ({ fields }) => {
      const value = singleField(fields, source.name)
      if (value === null) return tokenAmbiguous
      return value === undefined || value === '' ? tokenMissing : strip(value)
    }
  }
  return (_head, query) => {
    const values = new URLSearchParams(query).getAll(source.name)
    if (values.length > 1) return tokenAmbiguous
    return values[0] === undefined || values[0] === '' ? tokenMissing : strip(values[0])
  }
}
