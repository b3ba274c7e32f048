import { type Authorization, limits } from '../api.ts'
import { type Members, members, onlyMembers, textList } from './document.ts'
import type { Place } from './report.ts'

/**
 * Who may use an operation. An operation is open only when it says so (`security: []`, or `x-amazon-apigateway-auth`
 * of type NONE) or when the whole document demands nothing, which is reported. Everything unclear is an error and
 * yields `null`: the caller must not make a route of it.
 */
export function readAuthorization(
  operation: Members,
  documentSecurity: unknown,
  schemes: ReadonlySet<string>,
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

function readRequirements(value: unknown, schemes: ReadonlySet<string>, place: Place): Authorization | null {
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
  if (!schemes.has(authorizer)) return refused(place.in(0), `the scheme "${authorizer}" is not defined in components`)
  const scopes = textList(asked, place.in(0).in(authorizer))
  if (!Array.isArray(asked) || scopes.length !== asked.length) return null
  if (scopes.length > limits.scopes) return refused(place, `a route has at most ${limits.scopes} scopes`)
  // A scope with a space could never match: scopes are separated by it.
  if (scopes.some((scope) => /\s/.test(scope))) return refused(place, 'a scope holds no white space')
  return { type: 'JWT', authorizer, scopes }
}

function refused(place: Place, message: string): null {
  place.error(message)
  return null
}
