/** An issuer that answers discovery, keys, a token for machines and its list of suspended organizations, and signs what it is given. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

export const AUDIENCE = 'https://api.example.test'
export const TENANT = 'https://example.test/tenantId'

export interface BenchIssuer {
  issuer: string
  /** A user's access token, as Tenantry makes them. */
  token(of: { subject: string; tenantId: string; organization: string }): Promise<string>
  close(): void
}

/** @param suspended organizations of its list */
export async function startIssuer(suspended: readonly string[] = []): Promise<BenchIssuer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one', use: 'sig', alg: 'RS256' }] }
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', issuer)
    const from = Number(url.searchParams.get('from') ?? 0)
    const next = from + 100 < suspended.length ? String(from + 100) : undefined
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}jwks.json` },
      '/jwks.json': keys,
      '/oauth/token': { access_token: 'machine', expires_in: 3600 },
      '/api/v2/suspended-organizations': {
        organizations: suspended.slice(from, from + 100).map((id) => ({ id })),
        next,
      },
    }
    response.end(JSON.stringify(answers[url.pathname]))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const seconds = Math.floor(Date.now() / 1000)
  return {
    issuer,
    token: ({ subject, tenantId, organization }) =>
      new SignJWT({
        iss: issuer,
        aud: [AUDIENCE, `${issuer}userinfo`],
        sub: subject,
        iat: seconds,
        exp: seconds + 3600,
        azp: 'spa-client',
        scope: 'openid read:item create:item',
        permissions: ['read:item', 'create:item'],
        org_id: organization,
        [TENANT]: tenantId,
      })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: 'one' })
        .sign(privateKey),
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
