/**
 * Why a JWT authorizer refuses, and the words it says so with: one table, because half of these texts have not been
 * observed on AWS. What is marked unconfirmed is a guess that an observation corrects here and nowhere else.
 */
import { type Answer, answers } from '../answers.ts'
import type { Refusal } from './authorizer.ts'

interface Row {
  /** In the challenge and in the log; `null` for a refusal that sends no `error_description`. */
  readonly text: string | null
  /** The text was seen on AWS in the challenge itself. */
  readonly confirmed: boolean
}

const texts = {
  segments: { text: 'token contains an invalid number of segments', confirmed: true },
  malformed: { text: 'token is malformed', confirmed: false },
  // Two credentials in one request: whichever is checked, the upstream may use the other.
  sent_twice: { text: 'token is malformed', confirmed: false },
  algorithm: { text: 'signing method {alg} is invalid', confirmed: true },
  key_missing: { text: 'the token header does not have a key id', confirmed: false },
  key_unknown: { text: 'unable to find a key that matches the key id of the token', confirmed: false },
  discovery: { text: 'OIDC discovery endpoint communication error', confirmed: true },
  key_set: { text: 'JWKS communication error', confirmed: true },
  signature: { text: 'the token signature is invalid', confirmed: false },
  // Seen in an access log; that the challenge says the same is not known.
  issuer: { text: 'issuer does not match', confirmed: false },
  audience: { text: 'the token does not have a valid audience', confirmed: true },
  expired: { text: 'the token has expired', confirmed: false },
  not_yet_valid: { text: 'the token is not valid yet', confirmed: false },
  issued_in_future: { text: 'the token was issued in the future', confirmed: false },
  // Of our extensions: AWS has no such check, and so no words for it.
  claim: { text: 'the token does not have a required claim', confirmed: false },
  tenant: { text: null, confirmed: false },
  missing: { text: null, confirmed: true },
  // The status and body were seen; that no challenge goes with them is a guess, and so is the text of the log.
  scope: { text: null, confirmed: false },
} as const satisfies Record<string, Row>

/** The reasons whose words do not depend on the token. */
export type RefusalReason = Exclude<keyof typeof texts, 'algorithm'>

/** Every reason a token is refused for, with its text and whether AWS was seen to send it. */
export const refusalTexts: Readonly<Record<keyof typeof texts, Row>> = texts

// The parameters are separated by spaces, which is not RFC 7235's grammar but what AWS sends and clients match.
const invalidToken = (text: string, logged = text): Refusal => ({
  answer: answers.jwtUnauthorized,
  challenge: `Bearer scope="" error="invalid_token" error_description="${text}"`,
  error: `invalid_token: ${logged}`,
})

const silent = (answer: Answer, challenge: string | null, error: string): Refusal => ({ answer, challenge, error })

export const refusals: Readonly<Record<RefusalReason, Refusal>> = {
  segments: invalidToken(texts.segments.text),
  malformed: invalidToken(texts.malformed.text),
  sent_twice: invalidToken(texts.sent_twice.text, 'the token was sent twice'),
  key_missing: invalidToken(texts.key_missing.text),
  key_unknown: invalidToken(texts.key_unknown.text),
  discovery: invalidToken(texts.discovery.text),
  key_set: invalidToken(texts.key_set.text),
  signature: invalidToken(texts.signature.text),
  issuer: invalidToken(texts.issuer.text),
  audience: invalidToken(texts.audience.text),
  expired: invalidToken(texts.expired.text),
  not_yet_valid: invalidToken(texts.not_yet_valid.text),
  issued_in_future: invalidToken(texts.issued_in_future.text),
  claim: invalidToken(texts.claim.text),
  tenant: silent(answers.jwtForbidden, null, 'the token belongs to another tenant'),
  missing: silent(answers.jwtUnauthorized, 'Bearer', 'missing: token not provided'),
  scope: silent(answers.jwtForbidden, null, 'insufficient_scope'),
}

// `alg` comes from the token, and this text goes into a header and a log: only a name's characters are repeated.
const algorithmName = /^[A-Za-z0-9+-]{1,32}$/

/** The refusal for an algorithm that is not accepted, naming it. */
export const algorithmRefused = (algorithm: unknown): Refusal =>
  typeof algorithm === 'string' && algorithmName.test(algorithm)
    ? invalidToken(texts.algorithm.text.replace('{alg}', algorithm))
    : refusals.malformed
