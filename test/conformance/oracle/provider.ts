/** oidc-provider, the certified library, set up as closely to an environment as its configuration allows. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { askPort } from '@tenantry/identity/testing.ts'
import Provider, { type ClientMetadata, type KoaContextWithOIDC } from 'oidc-provider'
import type { Side } from './side.ts'

export async function startProvider(clients: Record<'spa' | 'web' | 'machine', ClientMetadata>): Promise<Side> {
  const provider = new Provider('http://localhost', {
    clients: Object.values(clients),
    scopes: ['openid', 'profile', 'email', 'offline_access', 'read:item', 'create:item'],
    claims: { profile: ['name'], email: ['email', 'email_verified'] },
    pkce: { required: (_ctx, client) => client.clientAuthMethod === 'none' },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client, code) =>
      client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    findAccount: async (_ctx, sub) => ({
      accountId: sub,
      claims: async () => ({ sub, email: 'anna@example.test', email_verified: true }),
    }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    ttl: {
      AccessToken: 3600,
      AuthorizationCode: 60,
      IdToken: 3600,
      Interaction: 600,
      Session: 3600,
      Grant: 3600,
      RefreshToken: 3600,
    },
    cookies: { keys: ['oracle'] },
    renderError: async (ctx: KoaContextWithOIDC, out) => {
      ctx.type = 'html'
      ctx.body = out.error
    },
  })
  // Signs in whoever comes and consents to everything: pages are not what is compared.
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next()
    const { prompt, params, session } = await provider.interactionDetails(ctx.req, ctx.res)
    if (prompt.name === 'login') {
      return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'anna' } })
    }
    const grant = new provider.Grant({ accountId: session!.accountId, clientId: params.client_id as string })
    grant.addOIDCScope(String(params.scope ?? ''))
    return provider.interactionFinished(ctx.req, ctx.res, { consent: { grantId: await grant.save() } })
  })
  const server = provider.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const host = `localhost:${port}`
  return {
    name: 'oidc-provider',
    request: (path, ask) => askPort(port, host, path, ask),
    origin: `http://${host}`,
    paths: { authorize: '/auth', token: '/token', userinfo: '/me', revoke: '/token/revocation', jwks: '/jwks' },
    extra: {},
    // It takes the scope away unless consent is prompted for, which Auth0's SDKs never do.
    offline: { prompt: 'consent' },
    close: () => void server.close(),
  }
}
