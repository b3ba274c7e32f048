import type { JwtExtensions, RequiredClaim, TenantBinding } from '../api.ts'
import { algorithms, isAlgorithm } from '../authorizers/algorithms.ts'
import { type AuthorizerDeps, readAudience, readIssuer } from './authorizers.ts'
import { flag, type Members, members, onlyMembers, textList } from './document.ts'
import { type Place, refused, say } from './report.ts'

/** Stands beside Amazon's extension on a security scheme, and says what its authorizer does beyond AWS. */
export const ownExtension = 'x-tenantry-authorizer'

/**
 * @example
 *   x-tenantry-authorizer:
 *     issuers: [{ issuer: https://other.example/, audience: [https://api.example] }]
 *     algorithms: [ES256]
 *     requiredClaims: [{ name: email_verified, expectedValues: ["true"], required: true }]
 *     tenant: [{ claim: org_name, pathParameter: tenant }]
 *     jsonClaims: true
 * @returns `null` after a complaint
 */
export async function readExtensions(
  value: unknown,
  place: Place,
  deps: AuthorizerDeps,
): Promise<JwtExtensions | null> {
  const object = members(value, place)
  if (object === null) return null
  if (deps.strict === true) {
    return refused(place, 'goes beyond AWS, which a strict import refuses: remove it, or import without "strict"')
  }
  onlyMembers(object, ['issuers', 'algorithms', 'requiredClaims', 'tenant', 'jsonClaims'], place)
  const [issuers, required, bindings] = [
    await Promise.all(entries(object, 'issuers', place).map(([item, at]) => readTrust(item, at, deps))),
    entries(object, 'requiredClaims', place).map(([item, at]) => readClaim(item, at)),
    entries(object, 'tenant', place).map(([item, at]) => readBinding(item, at)),
  ]
  const names = object.algorithms === undefined ? [] : textList(object.algorithms, place.in('algorithms'))
  for (const [index, name] of names.entries()) {
    if (isAlgorithm(name)) continue
    place
      .in('algorithms')
      .in(index)
      .error(`${say(name)} is none of ${algorithms.join(', ')}`)
  }
  const jsonClaims = flag(object.jsonClaims, place.in('jsonClaims'))
  const complete = <T>(list: readonly (T | null)[]): readonly T[] => list.filter((item) => item !== null)
  return {
    issuers: complete(issuers),
    algorithms: names.filter(isAlgorithm),
    requiredClaims: complete(required),
    tenantBindings: complete(bindings),
    jsonClaims,
  }
}

function entries(object: Members, name: string, place: Place): readonly (readonly [Members, Place])[] {
  const list = object[name]
  if (list === undefined) return []
  const here = place.in(name)
  if (!Array.isArray(list) || list.length === 0) {
    here.error('must be a list with at least one entry')
    return []
  }
  return list.flatMap((item: unknown, index) => {
    const entry = members(item, here.in(index))
    return entry === null ? [] : [[entry, here.in(index)] as const]
  })
}

async function readTrust(entry: Members, place: Place, deps: AuthorizerDeps) {
  onlyMembers(entry, ['issuer', 'audience'], place)
  const audience = readAudience(entry.audience, place.in('audience'), deps)
  const issuer = await readIssuer(entry.issuer, place.in('issuer'), deps)
  return issuer === null || audience === null ? null : { issuer, audience }
}

function readClaim(entry: Members, place: Place): RequiredClaim | null {
  onlyMembers(entry, ['name', 'expectedValues', 'required'], place)
  const { name, expectedValues, required } = entry
  if (typeof name !== 'string' || name === '') return refused(place.in('name'), 'must be the name of a claim')
  const expected = expectedValues === undefined ? [] : textList(expectedValues, place.in('expectedValues'))
  const isRequired = flag(required, place.in('required'), true)
  if (!isRequired && expected.length === 0)
    return refused(place, 'asks for nothing: name expected values, or require it')
  return { name, expectedValues: expected, isRequired }
}

function readBinding(entry: Members, place: Place): TenantBinding | null {
  onlyMembers(entry, ['claim', 'pathParameter', 'host'], place)
  const { claim, pathParameter, host } = entry
  if (typeof claim !== 'string' || claim === '') return refused(place.in('claim'), 'must be the name of a claim')
  if (typeof pathParameter === 'string' && pathParameter !== '' && host === undefined) {
    return { claim, to: 'path', parameter: pathParameter }
  }
  if (pathParameter === undefined && (host === 'label' || host === 'whole')) {
    return { claim, to: host === 'label' ? 'hostLabel' : 'host' }
  }
  return refused(
    place,
    'must have either "pathParameter", a variable of the path, or "host", which is "label" or "whole"',
  )
}
