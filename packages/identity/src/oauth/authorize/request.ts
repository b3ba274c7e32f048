/** The authorization request after its checks. It is stored once and never altered: a page can restart, not renegotiate. */
export interface AuthorizationRequest {
  client_id: string
  redirect_uri: string
  response_mode: 'query' | 'web_message'
  /** Where a web_message may go; the redirect URI's origin, which the client has listed. */
  web_origin: string | undefined
  issuer: string
  state: string | undefined
  nonce: string | undefined
  scope: string[]
  audience: string | undefined
  resource_server_identifier: string | undefined
  code_challenge: string | undefined
  prompt: string[]
  max_age: number | undefined
  organization_id: string | undefined
  /** The row's id; the ticket itself is not kept. */
  invitation_id: string | undefined
  connection: string | undefined
  login_hint: string | undefined
  ui_locales: string | undefined
}
