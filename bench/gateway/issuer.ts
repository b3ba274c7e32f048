/** The issuer of the measurement: two keys, discovery and JWKS for the gateway, PEM files for HAProxy. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { promisify } from 'node:util'

export interface Issuer {
  readonly url: string
  readonly pemFiles: Readonly<Record<'key-1' | 'key-2', string>>
  mint(claims?: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): string
  /** The same on another thread: a hundred thousand signatures take a minute. */
  mintAside(claims: Readonly<Record<string, unknown>>): Promise<string>
  close(): void
}

export async function startIssuer(directory: string, port: number, audience: string): Promise<Issuer> {
  const url = `http://127.0.0.1:${port}/`
  const keys: Record<string, { privateKey: KeyObject; publicKey: KeyObject }> = {}
  for (const kid of ['key-1', 'key-2']) keys[kid] = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = (kid: string): string => {
    const file = path.join(directory, `${kid}.pem`)
    writeFileSync(file, keys[kid]!.publicKey.export({ type: 'spki', format: 'pem' }))
    return file
  }
  const jwks = {
    keys: Object.entries(keys).map(([kid, { publicKey }]) => ({ ...publicKey.export({ format: 'jwk' }), kid })),
  }
  const server = http.createServer((request, response) => {
    const isDiscovery = request.url === '/.well-known/openid-configuration'
    response.end(JSON.stringify(isDiscovery ? { issuer: url, jwks_uri: `${url}jwks.json` } : jwks))
  })
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const unsigned = (claims: Readonly<Record<string, unknown>>, head: Readonly<Record<string, unknown>>): string => {
    const seconds = Math.floor(performance.timeOrigin / 1000 + performance.now() / 1000)
    const times = { iat: seconds - 5, nbf: seconds - 5, exp: seconds + 3_600 }
    const facts = { sub: 'auth0|65f0c0ffee', org_id: 'org_1a2b3c4d5e6f7a8b', azp: 'client-1a2b3c4d' }
    return `${encode(head)}.${encode({ iss: url, aud: audience, ...times, ...facts, ...claims })}`
  }
  const usual = { alg: 'RS256', typ: 'JWT', kid: 'key-1' }
  const signAside = promisify((text: string, done: (error: Error | null, signature: Buffer) => void) =>
    sign('sha256', Buffer.from(text), keys['key-1']!.privateKey, done),
  )
  return {
    url,
    pemFiles: { 'key-1': pem('key-1'), 'key-2': pem('key-2') },
    mint: (claims = {}, header = {}) => {
      const head = { ...usual, ...header }
      const text = unsigned(claims, head)
      const { privateKey } = keys[head.kid] ?? keys['key-1']!
      return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`
    },
    mintAside: async (claims) => {
      const text = unsigned(claims, usual)
      return `${text}.${(await signAside(text)).toString('base64url')}`
    },
    close: () => server.close(),
  }
}
