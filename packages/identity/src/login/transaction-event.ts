/** A sign-in with pages, as Actions know it. */
import type { FastifyRequest } from 'fastify'
import { enabledLocales } from '../environments/environment.ts'
import { chooseLanguage } from '../languages.ts'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'

export const transactionEvent = (
  asked: AuthorizationRequest,
  { environment, headers }: Pick<FastifyRequest, 'environment' | 'headers'>,
) => ({
  protocol: protocolOf(asked),
  requested_scopes: asked.scope,
  redirect_uri: asked.redirect_uri,
  response_type: asked.response_type,
  response_mode: asked.response_mode,
  prompt: asked.prompt,
  ...(asked.state === undefined ? {} : { state: asked.state }),
  ...(asked.login_hint === undefined ? {} : { login_hint: asked.login_hint }),
  acr_values: asked.acr_values,
  locale: chooseLanguage(enabledLocales(environment), asked.ui_locales, headers['accept-language']),
  ui_locales: (asked.ui_locales ?? '').split(' ').filter(Boolean),
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
