export const RESPONSE_TYPES = ['code', 'id_token', 'token'] as const
export type ResponseType = (typeof RESPONSE_TYPES)[number]

export const RESPONSE_MODES = ['query', 'fragment', 'form_post', 'web_message'] as const
export type ResponseMode = (typeof RESPONSE_MODES)[number]

/** The authorization request after its checks. It is stored once and never altered: a page can restart, not renegotiate. */
export interface AuthorizationRequest {
  client_id: string
  redirect_uri: string
  /** In this order, whatever the order asked in. */
  response_type: ResponseType[]
  response_mode: ResponseMode
  /** Where a web_message may go; the redirect URI's origin, which the client has listed. */
  web_origin: string | undefined
  issuer: string
  state: string | undefined
  nonce: string | undefined
  scope: string[]
  audience: string | undefined
  resource_server_identifier: string | undefined
  code_challenge: string | undefined
  dpop_jkt: string | undefined
  prompt: string[]
  max_age: number | undefined
  acr_values: string[]
  organization_id: string | undefined
  /** The row's id; the ticket itself is not kept. */
  invitation_id: string | undefined
  connection: string | undefined
  login_hint: string | undefined
  /** The page to begin with; `prompt=create` says the same (Initiating User Registration via OpenID Connect 1.0). */
  screen_hint: 'signup' | undefined
  ui_locales: string | undefined
  /** The person that an `id_token_hint` names: nobody else may answer for this request. */
  hinted_user_id: string | undefined
  /** What else was asked, for Actions; not of a device. */
  query?: Record<string, string>
  /** A device without a browser that is signed in, instead of a client that is answered. */
  device?: { id: string; userCode: string }
}
