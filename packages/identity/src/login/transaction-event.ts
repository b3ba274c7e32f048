/** A sign-in with pages, as Actions know it. */
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'

export const transactionEvent = (asked: AuthorizationRequest) => ({
  protocol: protocolOf(asked),
  requested_scopes: asked.scope,
  redirect_uri: asked.redirect_uri,
  response_type: asked.response_type,
  response_mode: asked.response_mode,
  prompt: asked.prompt,
  ...(asked.state === undefined ? {} : { state: asked.state }),
  ...(asked.login_hint === undefined ? {} : { login_hint: asked.login_hint }),
  acr_values: asked.acr_values,
  metadata: {},
})

/** Auth0's names of OpenID Connect's flows. */
const protocolOf = ({ response_type: types, device }: AuthorizationRequest): string =>
  device
    ? 'oauth2-device-code'
    : !types.includes('code')
      ? 'oidc-implicit-profile'
      : types.length === 1
        ? 'oidc-basic-profile'
        : 'oidc-hybrid-profile'
