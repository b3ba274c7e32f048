/**
 * What the suites of the SDKs stand on: an environment behind TLS, a client that may do everything, and a record of which
 * operations were answered. Each SDK is the published package, unmodified, and gets its token as every backend does.
 */
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'
import { request as forward } from 'node:http'
import { createServer, globalAgent } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509'
import { managementScopes } from '@tenantry/identity/resources/management-scopes.ts'
import type { RateLimit } from '@tenantry/identity/resources/rate-limit.ts'
import { movableClock, startIdentity, type TestEnvironment, type TestIdentity } from '@tenantry/identity/testing.ts'
import { assertCommitted } from '../reference/committed.ts'
import { shapeOf } from '../reference/compatibility.ts'
import { operations } from './operations.ts'

export const PASSWORD = 'Quiet-Horse-Lamp-7'

export interface SdkWorld {
  identity: TestIdentity
  env: TestEnvironment
  /** For the constructor of a ManagementClient of any version. */
  options: { domain: string; clientId: string; clientSecret: string }
  origin: string
  /** Shapes (`GET /roles/{}`) that were answered with 2xx, and with 501. */
  answered: Set<string>
  notYet: Set<string>
  /** How many requests were refused for their number (429). */
  refusals(): number
  /** What the DNS answers to questions for TXT records. */
  txt: Map<string, string[][]>
  /** Compares what was answered with what the compatibility table says of this major version. */
  assertDriven(major: number): void
  close(): Promise<void>
}

export async function startSdkWorld({
  managementRate,
  answered = new Set(),
  notYet = new Set(),
}: {
  managementRate?: RateLimit
  /** Of another world, where both are one suite. */
  answered?: Set<string>
  notYet?: Set<string>
} = {}): Promise<SdkWorld> {
  const txt = new Map<string, string[][]>()
  const identity = await startIdentity({
    managementRate,
    resolveTxt: async (name) => txt.get(name) ?? [],
    clock: movableClock(),
  })
  let refusals = 0
  const { key, cert } = await trusted()
  // Ends TLS and passes on, as a proxy in front of the server does.
  const tls = createServer({ key, cert }, (incoming, outgoing) => {
    const { method, url, headers } = incoming
    const inner = forward({ port: identity.port, host: '127.0.0.1', method, path: url, headers }, (answer) => {
      const status = answer.statusCode ?? 502
      const shape = operationOf(method!, url!)
      if (shape && status < 300) answered.add(shape)
      if (shape && status === 501) notYet.add(shape)
      if (status === 429) refusals++
      outgoing.writeHead(status, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(inner)
  })
  // What the server says of its connections is passed on, and must hold of these.
  tls.keepAliveTimeout = 75_000
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve))
  const env = await identity.environment()
  const domain = `localhost:${(tls.address() as AddressInfo).port}`
  const origin = `https://${domain}`
  await identity.database.acrossEnvironments('test: an origin with TLS', async (sql) => {
    await sql`update environments set origins = array_append(origins, ${origin}) where id = ${env.id}`
    await sql`insert into environment_origins (origin, environment_id) values (${origin}, ${env.id})`
  })
  const client = (await env.manage('POST', '/clients', { name: 'Backend', app_type: 'non_interactive' })).json
  const granted = await env.manage('POST', '/client-grants', {
    client_id: client.client_id,
    audience: `${env.origin}/api/v2/`,
    scope: managementScopes,
  })
  assert.equal(granted.status, 201, granted.text)
  return {
    identity,
    env,
    origin,
    options: { domain, clientId: client.client_id, clientSecret: client.client_secret },
    answered,
    notYet,
    refusals: () => refusals,
    txt,
    assertDriven: (major) =>
      assertCommitted(`compatibility/auth0-${major}.json`, `${JSON.stringify([...answered].toSorted(), null, 1)}\n`),
    close: async () => {
      tls.close()
      tls.closeAllConnections()
      await identity.close()
    },
  }
}

const PATTERNS = operations
  .map(({ method, path }) => ({
    shape: shapeOf(method, path),
    method,
    // Fixed segments win over parameters, so that /clients/cimd/preview is not a client.
    parameters: path.split('{').length,
    pattern: new RegExp(`^/api/v2${path.replace(/\{\w+\}/g, '[^/]+')}$`),
  }))
  .toSorted((a, b) => a.parameters - b.parameters)

function operationOf(method: string, url: string): string | undefined {
  const path = url.split('?')[0]!
  return PATTERNS.find((each) => each.method === method && each.pattern.test(path))?.shape
}

let certificate: Promise<{ key: string; cert: string }> | undefined

/** One for all worlds of a process, because the agent of old SDKs trusts only one. */
function trusted() {
  certificate ??= selfSigned().then((made) => {
    setDefaultCACertificates([...getCACertificates(), made.cert])
    globalAgent.options.ca = made.cert
    return made
  })
  return certificate
}

async function selfSigned(): Promise<{ key: string; cert: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }])],
  })
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { key: PemConverter.encode(pkcs8, 'PRIVATE KEY'), cert: certificate.toString('pem') }
}

/** Every item of a paged list, as the paging of version 5 and later walks it. */
export async function all<Item>(pages: Promise<AsyncIterable<Item>>): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of await pages) items.push(item)
  return items
}

/**
 * A client whose calls are counted, so that a suite can prove that it left none out. Managers are objects on the client;
 * methods are told by `manager.method`.
 */
export function counting<Client extends object>(
  client: Client,
  called = new Set<string>(),
): { api: Client; called: Set<string> } {
  const wrap = <T extends object>(target: T, path: string[]): T =>
    new Proxy(target, {
      get(object, name) {
        const value: unknown = Reflect.get(object, name)
        if (typeof name !== 'string') return value
        if (typeof value === 'function') {
          return (...args: unknown[]) => {
            called.add([...path, name].join('.'))
            return (value as (...args: unknown[]) => unknown).apply(object, args)
          }
        }
        return typeof value === 'object' && value !== null ? wrap(value, [...path, name]) : value
      },
    })
  return { api: wrap(client, []), called }
}
