/** Fixture of the gateway's tests: a real issuer on loopback with real keys, and a real upstream that records. */
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

export interface TestIssuer {
  readonly issuer: string
  readonly requests: string[]
  /** What the two documents answer; a test replaces them to break the issuer. */
  readonly answers: { discovery: Reply; jwks: Reply }
  readonly keys: Map<string, TestKey>
  publish(): void
  /** RSA unless an algorithm of other keys is named; its signatures are made with that one then. */
  addKey(kid: string, algorithm?: string): void
  mint(claims?: Claims, header?: Claims): string
  /** Signs exactly these texts, valid JSON or not. */
  mintRaw(header: string, claims: string, kid?: string): string
  close(): Promise<void>
}

export type Claims = Readonly<Record<string, unknown>>
type Reply = (response: http.ServerResponse) => void
interface TestKey {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const curves: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

function generate(algorithm: string): TestKey {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519')
  const namedCurve = curves[algorithm]
  return namedCurve === undefined
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve })
}

/** Signs as the algorithm says if the key can, and somehow if it cannot: a forger does not mind. */
function signWith(algorithm: string, { privateKey: key }: TestKey, bytes: Buffer): Buffer {
  if (key.asymmetricKeyType === 'ed25519') return sign(null, bytes, key)
  const hash = /^(RS|PS|ES)(256|384|512)$/.test(algorithm) ? `sha${algorithm.slice(2)}` : 'sha256'
  if (key.asymmetricKeyType === 'ec') return sign(hash, bytes, { key, dsaEncoding: 'ieee-p1363' })
  if (!algorithm.startsWith('PS')) return sign(hash, bytes, key)
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST
  return sign(hash, bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
}

export async function startIssuer(now: () => number): Promise<TestIssuer> {
  const requests: string[] = []
  const keys = new Map<string, TestKey>()
  const json =
    (value: unknown): Reply =>
    (response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
  const answers: TestIssuer['answers'] = { discovery: json({}), jwks: json({ keys: [] }) }
  const server = http.createServer((request, response) => {
    requests.push(request.url ?? '')
    if (request.url === '/.well-known/openid-configuration') answers.discovery(response)
    else if (request.url === '/jwks.json') answers.jwks(response)
    else response.writeHead(404).end()
  })
  const port = await listening(server)
  const issuer = `http://127.0.0.1:${port}/`
  answers.discovery = json({ issuer, jwks_uri: `${issuer}jwks.json` })

  const publish = (): void => {
    const list = [...keys].map(([kid, { publicKey }]) => ({ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' }))
    answers.jwks = json({ keys: list })
  }
  const mintRaw = (header: string, claims: string, kid = 'key-1', alg = 'RS256'): string => {
    const signed = `${Buffer.from(header).toString('base64url')}.${Buffer.from(claims).toString('base64url')}`
    const signature = signWith(alg, keys.get(kid)!, Buffer.from(signed))
    return `${signed}.${signature.toString('base64url')}`
  }
  const addKey = (kid: string, algorithm = 'RS256'): void => {
    keys.set(kid, generate(algorithm))
    publish()
  }
  addKey('key-1')

  return {
    issuer,
    requests,
    answers,
    keys,
    publish,
    addKey,
    mintRaw,
    mint: (claims = {}, header = {}) => {
      const seconds = Math.floor(now() / 1000)
      const all = { iss: issuer, aud: audience, sub: 'auth0|1', iat: seconds, exp: seconds + 600, ...claims }
      const head = { alg: 'RS256', typ: 'JWT', kid: 'key-1', ...header }
      const kid = keys.has(String(head.kid)) ? String(head.kid) : 'key-1'
      return mintRaw(JSON.stringify(head), JSON.stringify(all), kid, String(head.alg))
    },
    close: () => closed(server),
  }
}

export const audience = 'https://api.example.test'

export interface TestUpstream {
  readonly url: string
  readonly seen: Seen[]
  /** Replaces the echo for the requests of one test. */
  reply: ((request: http.IncomingMessage, response: http.ServerResponse) => void) | null
  close(): Promise<void>
}

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: http.IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

/** An upstream that answers 200 with what it received, after the whole body has come. */
export async function startUpstream(): Promise<TestUpstream> {
  const seen: Seen[] = []
  const server = http.createServer((request, response) => {
    if (upstream.reply !== null) return upstream.reply(request, response)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = request
      seen.push({ method, url, headers, rawHeaders, body: Buffer.concat(chunks) })
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ method, url, bytes: Buffer.concat(chunks).length }))
    })
  })
  const port = await listening(server)
  const upstream: TestUpstream = { url: `http://127.0.0.1:${port}`, seen, reply: null, close: () => closed(server) }
  return upstream
}

const listening = (server: http.Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })

const closed = (server: http.Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
