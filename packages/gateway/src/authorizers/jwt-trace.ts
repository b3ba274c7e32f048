/**
 * How the checks of a JWT authorizer are put into words for an explanation. What decides stands in `jwt.ts`; here it is
 * only told, and never with a token, a part of one or a key.
 */
import type { DecodedToken } from '@tenantry/kernel/jws.ts'
import type { JwtAuthorizer, RequiredClaim } from '../api.ts'
import type { Call } from '../exchange.ts'
import { shown, type Trace } from '../trace.ts'
import type { Refusal } from './authorizer.ts'
import type { Expected } from './claims.ts'
import type { KeyLookup } from './key-set.ts'
import { refusals } from './refusals.ts'
import { hasRequiredClaims } from './required-claims.ts'

export function noteSource(trace: Trace, { identitySource: { from, name } }: JwtAuthorizer, found: string | Refusal) {
  const isFound = typeof found === 'string'
  trace.note({
    at: 'authorizer',
    check: 'token',
    passed: isFound,
    expected: `once, in the ${from === 'header' ? 'header' : 'query parameter'} ${name}`,
    actual: isFound ? `${found.length} characters` : found === refusals.sent_twice ? 'more than once' : 'absent',
  })
}

export function noteForm(trace: Trace, token: string, decoded: DecodedToken | 'segments' | 'malformed'): void {
  const count = token.split('.').length
  trace.note({
    at: 'authorizer',
    check: 'segments',
    passed: count === 3,
    expected: 'three, between dots',
    actual: String(count),
  })
  if (count !== 3) return
  trace.note({
    at: 'authorizer',
    check: 'form',
    passed: typeof decoded !== 'string',
    expected: 'JSON objects in canonical base64url, without critical extensions',
  })
}

export function noteSignature(trace: Trace, key: KeyLookup, isSigned: boolean, { issuer }: Expected): void {
  const isFound = typeof key !== 'string'
  trace.note({
    at: 'authorizer',
    check: 'key',
    passed: isFound,
    expected: `a usable key of ${issuer} with this kid`,
    ...(isFound ? {} : { actual: unfound[key] }),
  })
  if (isFound) trace.note({ at: 'authorizer', check: 'signature', passed: isSigned, expected: 'made with that key' })
}

const unfound = {
  key_unknown: 'its key set has none',
  discovery: 'its discovery document cannot be had',
  key_set: 'its key set cannot be had',
} as const

export function noteRequired(trace: Trace, claims: DecodedToken['claims'], required: readonly RequiredClaim[]): void {
  for (const claim of required) {
    const { name, expectedValues } = claim
    trace.note({
      at: 'authorizer',
      check: `claim ${name}`,
      passed: hasRequiredClaims(claims, [claim]),
      expected: expectedValues.length === 0 ? 'present' : `one of ${expectedValues.join(', ')}`,
      actual: shown(Object.hasOwn(claims, name) ? claims[name] : undefined),
    })
  }
}

export function noteScopes(trace: Trace, scopes: ReadonlySet<string>, { route: { authorization } }: Call): void {
  if (authorization.type !== 'JWT' || authorization.scopes.length === 0) return
  trace.note({
    at: 'authorizer',
    check: 'scopes',
    passed: authorization.scopes.some((scope) => scopes.has(scope)),
    expected: `one of ${authorization.scopes.join(', ')}`,
    actual: shown([...scopes].join(' ') || 'none'),
  })
}
