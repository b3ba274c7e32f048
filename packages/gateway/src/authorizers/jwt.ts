/**
 * AWS's JWT authorizer: an issuer, RSA signatures, registered claims, any-of scopes; more of each where the definition's
 * extensions say so. Verified tokens are remembered, so a request with a known token costs one lookup instead of one
 * signature check. A token is only ever remembered per authorizer: another one may expect another audience.
 */
import { type DecodedToken, decodeToken } from '@tenantry/kernel/jws.ts'
import { LRUCache } from 'lru-cache'
import type { Algorithm, JwtAuthorizer } from '../api.ts'
import type { Call, Caller } from '../exchange.ts'
import { ownText } from '../field-text.ts'
import { singleField } from '../head.ts'
import { shown, type Trace } from '../trace.ts'
import { awsAlgorithms, isAlgorithm, isSignedWith } from './algorithms.ts'
import type { CompiledAuthorizer, Refusal, Verdict } from './authorizer.ts'
import { checkClaims, type Expected } from './claims.ts'
import { createDiscover } from './discovery.ts'
import type { FetchJson } from './fetch-json.ts'
import { noteForm, noteRequired, noteScopes, noteSignature, noteSource } from './jwt-trace.ts'
import { createKeySet, type KeyFault, type KeyLookup, type KeySet } from './key-set.ts'
import { algorithmRefused, refusals } from './refusals.ts'
import { hasRequiredClaims } from './required-claims.ts'
import type { Revocations } from './revocation.ts'
import { shareScopes, shareTexts } from './shared-texts.ts'
import { isBound } from './tenant-binding.ts'

export interface JwtDeps {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly fetchJson: FetchJson
  /** Who tells which tokens of an issuer no longer count; `null`: all count until they expire. */
  readonly revocationsOf: (issuer: string) => Revocations | null
  readonly onFault: (issuer: string, stage: KeyFault, error: unknown) => void
  /** Bytes of verified tokens to remember. */
  readonly cacheBytes: number
}

/** What is remembered of a verified token: whom it stands for, and the one check that can change its mind. */
interface VerifiedToken {
  /** The whole of it: nothing less is the token that was verified. */
  readonly token: string
  /** Seconds since 1970: as milliseconds V8 would keep it in a place of its own, which each request would go to. */
  readonly expiresAt: number
  readonly trust: Trust
  readonly caller: Extract<Caller, { type: 'JWT' }>
}

/** An issuer whose tokens are accepted. */
interface Trust extends Expected {
  readonly keySet: KeySet
  readonly revocations: Revocations | null
}

// Measured: a token of 738 characters, 395 of them signed, takes 1,180 bytes of heap; counted are 2,040, because claims
// that are many and small take more.
const entryOverheadBytes = 512
const claimBytesPerCharacter = 2

export function createJwtAuthorizer(config: JwtAuthorizer, deps: JwtDeps): CompiledAuthorizer {
  const verified = new LRUCache<number, VerifiedToken>({ maxSize: deps.cacheBytes })
  const sharedScopes = shareScopes()
  const sharedTexts = shareTexts()
  const { extensions } = config
  const required = extensions?.requiredClaims ?? []
  const bindings = extensions?.tenantBindings ?? []
  const listed = extensions?.algorithms ?? []
  const accepted = listed.length === 0 ? awsAlgorithms : listed
  const trustIn = ({ issuer, audience }: Expected): Trust => ({
    issuer,
    audience,
    revocations: deps.revocationsOf(issuer),
    keySet: createKeySet({
      issuer,
      algorithms: accepted,
      discover: createDiscover(deps.fetchJson),
      fetchJson: deps.fetchJson,
      now: deps.now,
      onWithdrawn: () => verified.clear(),
      onFault: (stage, error) => deps.onFault(issuer, stage, error),
    }),
  })
  const own = trustIn(config)
  const trusted = new Map([...(extensions?.issuers ?? []).map(trustIn), own].map((trust) => [trust.issuer, trust]))
  const readToken = identitySource(config)

  const conclude = (
    token: string,
    { claims, ...decoded }: DecodedToken,
    algorithm: Algorithm,
    trust: Trust,
    key: KeyLookup,
    trace: Trace | null,
  ): VerifiedToken | Refusal => {
    const isFound = typeof key !== 'string'
    const isSigned = isFound && isSignedWith(key, algorithm, decoded.signed, decoded.signature)
    if (trace !== null) noteSignature(trace, key, isSigned, trust)
    // An explanation goes on to say what else is wrong; a request has been refused.
    if (trace === null && !isFound) return refusals[key]
    if (trace === null && !isSigned) return refusals.signature
    const reason = checkClaims(claims, trust, deps.now() / 1000, trace)
    const hasRequired = hasRequiredClaims(claims, required)
    if (trace !== null) noteRequired(trace, claims, required)
    if (!isFound) return refusals[key]
    if (!isSigned) return refusals.signature
    if (reason !== null) return refusals[reason]
    if (!hasRequired) return refusals.claim
    const entry: VerifiedToken = {
      token: ownText(token),
      expiresAt: Number(claims.exp),
      trust,
      caller: {
        type: 'JWT',
        claims: sharedTexts(claims),
        scopes: sharedScopes(claims),
        claimsAs: extensions?.jsonClaims === true ? 'json' : 'brackets',
      },
    }
    const size = token.length + decoded.signed.length * claimBytesPerCharacter + entryOverheadBytes
    verified.set(markOf(entry.token), entry, { size })
    return entry
  }

  const verifyToken = (
    token: string,
    trace: Trace | null,
  ): VerifiedToken | Refusal | Promise<VerifiedToken | Refusal> => {
    const decoded = decodeToken(token)
    if (trace !== null) noteForm(trace, token, decoded)
    if (typeof decoded === 'string') return refusals[decoded]
    const { alg, kid } = decoded.header
    const isAccepted = isAlgorithm(alg) && accepted.includes(alg)
    trace?.note({
      at: 'authorizer',
      check: 'alg',
      passed: isAccepted,
      expected: accepted.join(', '),
      actual: shown(alg),
    })
    if (!isAccepted) return algorithmRefused(alg)
    const hasKid = typeof kid === 'string' && kid !== ''
    trace?.note({ at: 'authorizer', check: 'kid', passed: hasKid, expected: 'the id of a key', actual: shown(kid) })
    if (!hasKid) return refusals.key_missing
    // A token that names no issuer of ours is refused with whatever keys: those of another are not worth asking for.
    const named = typeof decoded.claims.iss === 'string' ? trusted.get(decoded.claims.iss) : undefined
    const trust = named ?? own
    const key = trust.keySet.lookup(kid, named !== undefined)
    return key instanceof Promise
      ? key.then((found) => conclude(token, decoded, alg, trust, found, trace))
      : conclude(token, decoded, alg, trust, key, trace)
  }

  const admit = ({ caller, trust }: VerifiedToken, call: Call): Verdict => {
    const { trace } = call
    const revoked = trust.revocations?.check(caller.claims) ?? null
    if (trust.revocations !== null) {
      trace?.note({ at: 'authorizer', check: 'the organization is not suspended', passed: revoked === null })
    }
    if (revoked !== null) return revoked
    const isScoped = hasScope(caller.scopes, call)
    if (trace !== null) noteScopes(trace, caller.scopes, call)
    if (!isScoped) return refusals.scope
    const isOwn = bindings.length === 0 || isBound(caller.claims, call, bindings)
    if (bindings.length > 0) trace?.note({ at: 'authorizer', check: 'the tenant of path or host', passed: isOwn })
    return isOwn ? caller : refusals.tenant
  }

  const settle = (result: VerifiedToken | Refusal, call: Call): Verdict =>
    'answer' in result ? result : admit(result, call)

  return {
    authorize: (call) => {
      const token = readToken(call)
      if (call.trace !== null) noteSource(call.trace, config, token)
      if (typeof token !== 'string') return token
      const { trace } = call
      // An explanation names every check, so it makes them all again.
      const remembered = trace === null ? verified.get(markOf(token)) : undefined
      if (remembered?.token === token && remembered.trust.keySet.isCurrent()) {
        return remembered.expiresAt * 1000 <= deps.now() ? refusals.expired : admit(remembered, call)
      }
      const result = verifyToken(token, trace)
      return result instanceof Promise ? result.then((late) => settle(late, call)) : settle(result, call)
    },
    reset: () => verified.clear(),
  }
}

/**
 * Where a token is looked for: under a number made of the last characters of its signature. Under a text the map would go
 * to each text that it comes by, for its hash: of 100,000 tokens most are in no cache of the processor, and a lookup
 * took 1.4 µs instead of 0.3. Two tokens of one number (five pairs in 100,000) take turns, because what is found is
 * compared as a whole.
 */
function markOf(token: string): number {
  let mark = 0
  for (let at = Math.max(0, token.length - markedCharacters); at < token.length; at++) {
    mark = (Math.imul(mark, 31) + token.charCodeAt(at)) | 0
  }
  return mark
}

// Six bits each: twice as many as the number has.
const markedCharacters = 12

function hasScope(scopes: ReadonlySet<string>, { route: { authorization } }: Call): boolean {
  if (authorization.type !== 'JWT' || authorization.scopes.length === 0) return true
  for (const scope of authorization.scopes) if (scopes.has(scope)) return true
  return false
}

const bearer = /^bearer +/i

// The value is the bare token or the token after `Bearer `. The prefix is taken off once: `Bearer Bearer x` is no token.
function identitySource({ identitySource: source }: JwtAuthorizer): (call: Call) => string | Refusal {
  const strip = (value: string): string =>
    value.startsWith('Bearer ') && value[7] !== ' ' ? value.slice(7) : value.replace(bearer, '')
  if (source.from === 'header') {
    return ({ head: { fields } }) => {
      const value = singleField(fields, source.name)
      if (value === null) return refusals.sent_twice
      return value === undefined || value === '' ? refusals.missing : strip(value)
    }
  }
  return ({ path }) => {
    const values = new URLSearchParams(path.query).getAll(source.name)
    if (values.length > 1) return refusals.sent_twice
    return values[0] === undefined || values[0] === '' ? refusals.missing : strip(values[0])
  }
}
