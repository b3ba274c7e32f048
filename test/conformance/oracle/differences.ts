/** Why an answer is not the oracle's. A difference that is not here, or no difference where one is here, fails the test. */
const STATUS_403 =
  'Auth0 answers invalid_grant with 403; its SDKs and their users match on it. RFC 6749 §5.2 asks for 400.'
const ACCESS_DENIED =
  'Auth0’s word for a client it does not know or that fails to prove itself; RFC 6749 §5.2 says invalid_client.'
const NOT_FOUND = 'The endpoint takes POST alone on both; here the error has a body.'

export const DIFFERENCES: Record<string, string> = {
  'authorize: redirect_uri is missing':
    'The library takes the only one that is registered. Here it must be named: a second one registered later would change what the request means.',
  'authorize: response_type the client may not have': 'RFC 6749 §4.1.2.1 names unauthorized_client for this.',
  'authorize: response_mode is unknown':
    'How an answer should travel is unknown then, so the person is told. The library falls back to the redirect.',
  'authorize: a request object': 'The same refusal under RFC 6749’s general name.',
  'authorize: state twice':
    'RFC 6749 §3.1 forbids a parameter twice. Which of two redirect URIs or clients is meant would be a guess, so nothing is sent to either.',
  'authorize: without openid': 'Plain OAuth 2.0 is allowed, as at Auth0: the request asks for an API’s scopes alone.',
  'authorize: an id_token_hint that is no token': 'Nobody is signed in, which is told first.',
  'PKCE: no verifier': STATUS_403,
  'PKCE: a wrong verifier': STATUS_403,
  'PKCE: a verifier that is too short': `One answer for every verifier that does not fit. ${STATUS_403}`,
  'code: exchanged twice': STATUS_403,
  'code: unknown': STATUS_403,
  'code: another redirect_uri': STATUS_403,
  'code: no redirect_uri':
    'RFC 6749 §4.1.3 requires it where the authorization request had it. The library makes it optional for clients with one.',
  'code: presented by an unknown client': ACCESS_DENIED,
  'code: presented by another client': STATUS_403,
  'token: a grant the client may not use': 'RFC 6749 §5.2 names unauthorized_client for this; the status is Auth0’s.',
  'token: asked with GET': NOT_FOUND,
  'client: a wrong secret by Basic': ACCESS_DENIED,
  'client: unknown by Basic': ACCESS_DENIED,
  'client: an empty secret in the body': ACCESS_DENIED,
  'client: a scope it was not given':
    'A scope outside the client grant is refused, as at Auth0; the library leaves it out and issues the token.',
  'refresh: a rotated token again': STATUS_403,
  'refresh: unknown': STATUS_403,
  'refresh: by another client': STATUS_403,
  'userinfo: without a token': 'The same 401; RFC 6750 §3.1 wants no error code where no credentials were sent.',
  'revocation: of a refresh token, which then is worth nothing': STATUS_403,
  'keys: what is published of one': 'x5c and x5t are Auth0’s; verifiers that read certificates need them.',
}
