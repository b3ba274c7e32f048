import { type Authorization, type Authorizer, limits } from '../api.ts'
import { type Members, members, onlyMembers, textList } from './document.ts'
import { type Place, refused } from './report.ts'

/** The schemes of a document: those that were read, and those that were refused and are complained about already. */
export type Schemes = ReadonlyMap<string, Authorizer | null>

/**
 * Who may use an operation. An operation is open only when it says so (`security: []`, or `x-amazon-apigateway-auth`
 * of type NONE) or when the whole document demands nothing, which is reported. Everything unclear is an error and
 * yields `null`: the caller must not make a route of it.
 */
export function readAuthorization(
  operation: Members,
  documentSecurity: unknown,
  schemes: Schemes,
  place: Place,
): Authorization | null {
  const declared = readAuth(operation[auth], place.in(auth))
  if (declared === 'refused') return null
  const own = operation.security
  if (declared === 'NONE') {
    if (own === undefined || (Array.isArray(own) && own.length === 0)) return { type: 'NONE' }
    place.in('security').error(`names a scheme while ${auth} says NONE: remove one of them`)
    return null
  }
  const effective = own ?? documentSecurity
  if (effective === undefined) {
    place.warn(
      'is public, because neither the operation nor the document has "security"; "security: []" says so on purpose',
    )
    return { type: 'NONE' }
  }
  return readRequirements(effective, schemes, own === undefined ? place : place.in('security'))
}

const auth = 'x-amazon-apigateway-auth'

function readAuth(value: unknown, place: Place): 'NONE' | 'refused' | null {
  if (value === undefined) return null
  const object = members(value, place)
  if (object === null) return 'refused'
  onlyMembers(object, ['type'], place)
  const type = typeof object.type === 'string' ? object.type.toUpperCase() : null
  if (type === 'NONE') return 'NONE'
  place.in('type').error(type === 'AWS_IAM' ? 'IAM authorization is not supported' : 'must be "NONE" or "AWS_IAM"')
  return 'refused'
}

function readRequirements(value: unknown, schemes: Schemes, place: Place): Authorization | null {
  if (!Array.isArray(value)) return refused(place, '"security" must be a list')
  if (value.length === 0) return { type: 'NONE' }
  if (value.length > 1)
    return refused(place, 'an operation has one security requirement; alternatives are not supported')
  const requirement = members(value[0], place.in(0))
  if (requirement === null) return null
  const [entry, ...others] = Object.entries(requirement)
  if (entry === undefined)
    return refused(place.in(0), 'the empty requirement makes tokens optional; "security: []" opens')
  if (others.length > 0)
    return refused(place.in(0), 'an operation has one security mechanism; several are not supported')
  const [authorizer, asked] = entry
  const scheme = schemes.get(authorizer)
  // What SAM writes for an event whose Authorizer is NONE.
  if (scheme === undefined && authorizer === 'NONE' && Array.isArray(asked) && asked.length === 0) {
    return { type: 'NONE' }
  }
  if (scheme === undefined) return refused(place.in(0), `the scheme "${authorizer}" is not defined in components`)
  const scopes = readScopes(asked, place.in(0).in(authorizer))
  if (scopes === null || scheme === null) return null
  return authorizationBy(authorizer, scheme, scopes, place.in(0).in(authorizer))
}

/** The scopes of a route, one of which a token must have; `null` after a complaint. */
export function readScopes(value: unknown, place: Place): readonly string[] | null {
  const scopes = textList(value, place)
  if (!Array.isArray(value) || scopes.length !== value.length) return null
  if (scopes.length > limits.scopes) return refused(place, `a route has at most ${limits.scopes} scopes`)
  // A scope with a space could never match: scopes are separated by it.
  return scopes.some((scope) => /\s/.test(scope)) ? refused(place, 'a scope holds no white space') : scopes
}

/** What a route asks for whose caller this authorizer checks. */
export function authorizationBy(
  name: string,
  { type }: Authorizer,
  scopes: readonly string[],
  place: Place,
): Authorization | null {
  if (type === 'JWT') return { type: 'JWT', authorizer: name, scopes }
  if (scopes.length === 0) return { type: 'CUSTOM', authorizer: name }
  return refused(place, 'scopes are checked by JWT authorizers only: let the function decide, and leave the list empty')
}
