/** An issuer for the kit's own tests: a real HTTP server with discovery and keys that may be rotated or taken away. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

export const AUDIENCE = 'https://api.stockroom.example'
export const TENANT_CLAIM = 'https://stockroom.example/tenantId'

/** An address that answers with a redirect, and what is found where it leads: the genuine document. */
interface Redirect {
  from: string
  to: 'discovery' | 'keys'
}

export async function startIssuer() {
  const state = { fetches: 0, down: false, redirect: undefined as Redirect | undefined, namesIssuer: '' }
  let signing = await newKey('one')
  let published = [signing.jwk]
  const server = createServer((request, response) => {
    if (state.down) return void response.writeHead(503).end()
    if (state.redirect && request.url === state.redirect.from) {
      return void response.writeHead(302, { location: '/moved' }).end()
    }
    if (request.url === '/moved' && state.redirect?.to === 'keys') {
      return void response.end(JSON.stringify({ keys: published }))
    }
    if (request.url === '/.well-known/openid-configuration' || request.url === '/moved') {
      return void response.end(JSON.stringify({ issuer: state.namesIssuer || issuer, jwks_uri: `${issuer}jwks.json` }))
    }
    state.fetches += 1
    response.end(JSON.stringify({ keys: published }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return {
    issuer,
    state,
    /** Signs with a new key; the old one stays published unless it is dropped. */
    async rotate(options: { dropOld?: boolean; publish?: boolean } = {}) {
      signing = await newKey(`key-${published.length + 1}-${Math.random()}`)
      if (options.publish ?? true) published = options.dropOld ? [signing.jwk] : [...published, signing.jwk]
    },
    /** A token as Auth0's classic dialect has it. `undefined` removes a claim. */
    async token(claims: JWTPayload = {}, header: Record<string, unknown> = {}): Promise<string> {
      const now = Math.floor(Date.now() / 1000)
      const payload: JWTPayload = {
        iss: issuer,
        sub: 'auth0|maria',
        aud: [AUDIENCE, `${issuer}userinfo`],
        iat: now,
        exp: now + 600,
        azp: 'spa-client',
        scope: 'openid read:item',
        org_id: 'org_1234567890abcdef',
        [TENANT_CLAIM]: 'A'.repeat(24),
        ...claims,
      }
      return new SignJWT(payload)
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: signing.jwk.kid, ...header })
        .sign(signing.privateKey, { crit: { 'urn:example:ext': true } })
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}

async function newKey(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' } }
}
