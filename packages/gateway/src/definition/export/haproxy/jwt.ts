import { answers } from '../../../answers.ts'
import type { JwtAuthorizer } from '../../../api.ts'
import { refusalTexts } from '../../../authorizers/refusals.ts'
import type { NamedRoute } from './routing.ts'
import { escapeRegex, isOneOf, matches, reply, word } from './words.ts'

export interface JwtRules {
  readonly authorizer: JwtAuthorizer
  /** What `txn.auth` holds for routes with this authorizer. */
  readonly id: string
  /** Where each key is kept, by key id. */
  readonly keyFiles: ReadonlyMap<string, string>
  /** How many elements of an array are looked at. */
  readonly arrayLength: number
}

const algorithms = ['RS256', 'RS384', 'RS512']
const token = 'var(txn.token)'
const claim = (path: string, type = ''): string =>
  `${token},jwt_payload_query($.${path}${type === '' ? '' : `,${type}`})`

/** Verifies the token of a request: sets `txn.missing` or `txn.reason` when it is refused, the first reason first. */
export function verifyRules({ authorizer, id, keyFiles, arrayLength }: JwtRules): string[] {
  const isOurs = `{ var(txn.auth) -m str ${id} }`
  const open = `${isOurs} !{ var(txn.missing) -m found } !{ var(txn.reason) -m found }`
  const refuse = (reason: keyof typeof refusalTexts, condition: string): string =>
    `http-request set-var(txn.reason) ${word(`str(${refusalTexts[reason].text})`)} if ${open} ${condition}`
  const { identitySource: source, issuer, audience } = authorizer
  const isHeader = source.from === 'header'
  const fetch = isHeader ? `req.fhdr(${source.name})` : `url_param(${source.name})`
  const isTwice = isHeader
    ? `{ ${word(`req.fhdr_cnt(${source.name})`)} gt 1 }`
    : matches('query', `(?:^|&)${escapeRegex(source.name)}=.*&${escapeRegex(source.name)}=`)
  const kids = [...keyFiles.keys()]
  const elements = Array.from({ length: arrayLength }, (_, index) => index)
  const isAudience = `{ var(txn.audience) -m found }`
  return [
    refuse('sent_twice', isTwice),
    `http-request set-var(txn.token) ${word(`${fetch},regsub("^bearer +","",i)`)} if ${open}`,
    `http-request set-var(txn.missing) bool(true) if ${open} !{ ${token} -m found }`,
    `http-request set-var(txn.missing) bool(true) if ${open} { ${token} -m len 0 }`,
    refuse('segments', `!${matches(token, '^[^.]*\\.[^.]*\\.[^.]*$')}`),
    refuse('malformed', `!${matches(token, '^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$')}`),
    `http-request set-var(txn.alg) ${word(`${token},jwt_header_query($.alg)`)} if ${open}`,
    `http-request set-var-fmt(txn.reason) ${word(refusalTexts.algorithm.text!.replace('{alg}', '%[var(txn.alg)]'))} if ${open} !${isOneOf('var(txn.alg)', algorithms)} ${matches('var(txn.alg)', '^[A-Za-z0-9+-]{1,32}$')}`,
    refuse('malformed', `!${isOneOf('var(txn.alg)', algorithms)}`),
    `http-request set-var(txn.kid) ${word(`${token},jwt_header_query($.kid)`)} if ${open}`,
    refuse('key_missing', '!{ var(txn.kid) -m found }'),
    refuse('key_missing', '{ var(txn.kid) -m len 0 }'),
    refuse('key_unknown', `!${isOneOf('var(txn.kid)', kids)}`),
    ...[...keyFiles].map(
      ([kid, file]) =>
        `http-request set-var(txn.verified) ${word(`${token},jwt_verify(txn.alg,"${file}")`)} if ${open} ${isOneOf('var(txn.kid)', [kid])}`,
    ),
    refuse('signature', '!{ var(txn.verified) -m int 1 }'),
    `http-request set-var(txn.claims) ${word(`${token},word(2,.),ub64dec`)} if ${open}`,
    refuse('issuer', `!${isOneOf(claim('iss'), [issuer])}`),
    `http-request set-var(txn.audience) bool(true) if ${open} ${isOneOf(claim('aud'), audience)}`,
    ...elements.map(
      (index) =>
        `http-request set-var(txn.audience) bool(true) if ${open} ${isOneOf(claim(`aud[${index}]`), audience)}`,
    ),
    `http-request set-var(txn.audience) bool(true) if ${open} ${isOneOf(claim('client_id'), audience)} !${isThere('aud')}`,
    refuse('audience', `!${isAudience}`),
    `http-request set-var(txn.now) date if ${open}`,
    refuse('expired', `!${isNumber('exp')}`),
    ...timeRules('exp', open),
    refuse('expired', '!{ var(txn.exp) -m int gt 0 }'),
    ...timeRules('nbf', open),
    refuse('not_yet_valid', `${isThere('nbf')} !${isNumber('nbf')}`),
    refuse('not_yet_valid', `${isThere('nbf')} !{ var(txn.nbf) -m int le 0 }`),
    ...timeRules('iat', open),
    refuse('issued_in_future', `${isThere('iat')} !${isNumber('iat')}`),
    refuse('issued_in_future', `${isThere('iat')} !{ var(txn.iat) -m int le 0 }`),
  ]
}

/** How far away a time is, in seconds. */
const timeRules = (name: string, condition: string): string[] => [
  `http-request set-var(txn.${name}) ${word(`${claim(name, 'int')},sub(txn.now)`)} if ${condition}`,
]

// Queries find neither lists nor objects, and take a text for the number 0: what a claim is shows in the JSON alone.
const isThere = (name: string): string => `{ var(txn.claims) -m sub -- '"${name}"' }`
const isNumber = (name: string): string => matches('var(txn.claims)', `"${name}"\\s*:\\s*-?[0-9]`)

/** Answers what verification refused. */
export const refusalRules = (): string[] => [
  ...reply(answers.jwtUnauthorized, '{ var(txn.missing) -m found }', [['www-authenticate', 'Bearer']]),
  ...reply(answers.jwtUnauthorized, '{ var(txn.reason) -m found }', [
    ['www-authenticate', 'Bearer scope="" error="invalid_token" error_description="%[var(txn.reason)]"'],
  ]),
]

/** One of the route's scopes must be in `scp`, or in `scope` when there is no `scp`. */
export function scopeRules({ id, authorization }: NamedRoute, arrayLength: number): string[] {
  if (authorization.type !== 'JWT' || authorization.scopes.length === 0) return []
  const { scopes } = authorization
  const isOurs = `{ var(txn.route) -m str ${id} }`
  const hasScp = isThere('scp')
  const words = `(?:^| )(?:${scopes.map(escapeRegex).join('|')})(?: |$)`
  const grant = (condition: string): string => `http-request set-var(txn.granted) bool(true) if ${isOurs} ${condition}`
  return [
    grant(`!${hasScp} ${matches(claim('scope'), words)}`),
    grant(`${hasScp} ${matches(claim('scp'), words)}`),
    ...Array.from({ length: arrayLength }, (_, index) => grant(`${hasScp} ${isOneOf(claim(`scp[${index}]`), scopes)}`)),
    ...reply(answers.jwtForbidden, `${isOurs} !{ var(txn.granted) -m found }`),
  ]
}

/** Where a claim is read from, or `null` when its name cannot be asked for. */
export const claimFetch = (name: string): string | null => (/^[\w-]+$/.test(name) ? claim(name) : null)
