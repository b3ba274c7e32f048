import 'reflect-metadata'
import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'
import { request as send } from 'node:http'
import { createServer, request as sendSecurely } from 'node:https'
import { type AddressInfo, connect, createServer as listenForBytes } from 'node:net'
import { after, before, test } from 'node:test'
import { PemConverter, X509CertificateGenerator } from '@peculiar/x509'
import { createConfigurationCache } from '../configuration-cache.ts'
import { createWorld, payloadOf } from '../oauth/fixture.ts'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../testing.ts'
import { createEnvironmentResolver } from './environment.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const DISCOVERY = '/.well-known/openid-configuration'
const hostOf = (env: TestEnvironment) => env.origin.slice('http://'.length)

const giveOrigin = (env: TestEnvironment, origin: string) =>
  identity.database.acrossEnvironments('give a test environment another origin', async (sql) => {
    await sql`update environments set origins = array_append(origins, ${origin}) where id = ${env.id}`
    await sql`insert into environment_origins values (${origin}, ${env.id})`
  })

test('N110 the Host finds the environment, in any case of its letters; what is not configured finds nothing', async () => {
  const env = await identity.environment()
  const host = hostOf(env)
  for (const spelling of [host, host.toUpperCase()]) {
    const answer = await identity.ask(spelling, DISCOVERY)
    assert.deepEqual([answer.status, answer.json?.issuer], [200, env.issuer])
  }
  const [name, port] = host.split(':')
  const strangers = [
    name!,
    `${name}.:${port}`,
    `${name}:${Number(port) + 1}`,
    `x.${host}`,
    `127.0.0.1:${port}`,
    `[::1]:${port}`,
    `localhost:${port}`,
    `user@${host}`,
    `${host}/`,
    `${host}#`,
    `xn--${host}`,
    `${host}, ${host}`,
    'a'.repeat(300),
    ' ',
  ]
  for (const stranger of strangers) {
    for (const path of [DISCOVERY, '/oauth/token', '/api/v2/users', '/authorize', '/u/login']) {
      for (const ask of [{}, { body: {} }]) {
        const answer = await identity.ask(stranger, path, ask)
        assert.ok(answer.status === 404 || answer.status === 400, `${stranger} ${path}: ${answer.status}`)
        assert.doesNotMatch(answer.text, /undefined|TypeError/)
        assert.equal(answer.text.includes(env.id), false)
        assert.equal(answer.text.includes(name!), false)
      }
    }
  }
})

test('N17 CVE-2025-64101 no header but Host says where we are: neither links, issuers nor redirects follow a forged one', async () => {
  const world = await createWorld(identity)
  const other = await identity.environment()
  const forged = {
    'x-forwarded-host': hostOf(other),
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '443',
    'x-original-host': hostOf(other),
    'x-host': hostOf(other),
    forwarded: `host=${hostOf(other)};proto=https`,
  }
  const answer = await world.env.request(DISCOVERY, { headers: forged })
  assert.equal(answer.json.issuer, world.env.issuer)
  assert.equal(answer.text.includes(hostOf(other)), false)
  const told = await world.env.request(world.authorize({ prompt: 'none' }).path, { headers: forged })
  assert.equal(new URL(told.headers.location!).searchParams.get('iss'), world.env.issuer)
})

test('N18 the server calls nobody whom a header names', async () => {
  const world = await createWorld(identity)
  let called = 0
  const inside = listenForBytes((socket) => {
    called++
    socket.destroy()
  })
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
  try {
    const host = `127.0.0.1:${(inside.address() as AddressInfo).port}`
    const forged = {
      'x-forwarded-host': host,
      'x-forwarded-server': host,
      'x-original-url': `http://${host}/`,
      forwarded: `host=${host}`,
    }
    const headers = {
      ...forged,
      referer: `http://${host}/`,
      origin: `http://${host}`,
      'x-rewrite-url': `http://${host}/`,
    }
    for (const path of [
      DISCOVERY,
      '/.well-known/jwks.json',
      world.authorize().path,
      '/u/login?state=x',
      '/api/v2/users',
      '/userinfo',
    ]) {
      await world.env.request(path, { headers })
    }
    assert.equal(called, 0)
  } finally {
    inside.close()
  }
})

test('N17 a request line with a whole address does not move us to another environment', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(identity.port, '127.0.0.1', () =>
      socket.end(`GET ${other.origin}${DISCOVERY} HTTP/1.1\r\nHost: ${hostOf(env)}\r\nConnection: close\r\n\r\n`),
    )
    let text = ''
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    socket.on('end', () => resolve(text)).on('error', reject)
  })
  assert.doesNotMatch(answer, new RegExp(hostOf(other)))
})

test('an environment with two origins is one issuer at each, and tokens say where they were made', async () => {
  const world = await createWorld(identity)
  const second = hostOf(world.env).replace('example', 'second')
  await giveOrigin(world.env, `http://${second}`)
  const answer = await identity.ask(second, DISCOVERY)
  assert.equal(answer.json.issuer, `http://${second}/`)
  assert.equal(answer.json.token_endpoint, `http://${second}/oauth/token`)
  const keys = (await identity.ask(second, '/.well-known/jwks.json')).json
  assert.deepEqual(keys, (await world.env.request('/.well-known/jwks.json')).json)
})

test('over TLS only https origins answer; without it http ones first, then those of a proxy that ends TLS', async () => {
  const [plain, secure] = [await identity.environment(), await identity.environment()]
  const resolve = createEnvironmentResolver({
    database: identity.database,
    cache: createConfigurationCache({ onChange: () => {} }),
  })
  const { key, cert } = await selfSigned()
  const tls = createServer({ key, cert }, async (request, response) => {
    const found = await resolve(request).catch((error: { code: string }) => error)
    response.end(JSON.stringify('issuer' in found ? { id: found.id, issuer: found.issuer } : { code: found.code }))
  })
  await new Promise<void>((done) => tls.listen(0, '127.0.0.1', done))
  try {
    const host = hostOf(secure)
    await giveOrigin(secure, `https://${host}`)
    await giveOrigin(secure, `https://only-${host}`)
    const overTls = (name: string) =>
      new Promise<unknown>((done, fail) => {
        const { port } = tls.address() as AddressInfo
        sendSecurely({ port, host: '127.0.0.1', headers: { host: name }, rejectUnauthorized: false }, (answer) => {
          answer.setEncoding('utf8').on('data', (text: string) => done(JSON.parse(text)))
        })
          .on('error', fail)
          .end()
      })
    assert.deepEqual(await overTls(host), { id: secure.id, issuer: `https://${host}/` })
    assert.deepEqual(await overTls(hostOf(plain)), { code: 'unknown_host' })
    assert.equal((await identity.ask(host, DISCOVERY)).json.issuer, `http://${host}/`)
    assert.equal((await identity.ask(`only-${host}`, DISCOVERY)).json.issuer, `https://only-${host}/`)
  } finally {
    tls.close()
    tls.closeAllConnections()
  }
})

async function selfSigned(): Promise<{ key: string; cert: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    keys,
    signingAlgorithm: algorithm,
  })
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { key: PemConverter.encode(pkcs8, 'PRIVATE KEY'), cert: certificate.toString('pem') }
}

test('N64 CVE-2026-23552 a token of one environment is nothing in another: at the Management API, at userinfo, at sign-out', async () => {
  const [one, two] = [await createWorld(identity), await createWorld(identity)]
  const acme = await one.organization('acme')
  const anna = await one.person('anna@example.test', { organization: acme })
  const tokens = await one.tokens(anna, { organization: acme })
  const management = await one.env.managementToken()
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
  assert.equal((await one.env.request('/api/v2/users', bearer(management))).status, 200)
  assert.equal((await two.env.request('/api/v2/users', bearer(management))).status, 401)
  assert.equal((await one.env.request('/userinfo', bearer(tokens.access_token))).status, 200)
  assert.equal((await two.env.request('/userinfo', bearer(tokens.access_token))).status, 401)
  assert.equal((await two.refresh(tokens.refresh_token)).status, 403)
  assert.equal((await two.refresh(tokens.refresh_token, { client_id: one.spa })).status, 401)
  assert.equal((await two.env.request(`/oidc/logout?id_token_hint=${tokens.id_token}`)).status, 400)
  assert.equal((await one.refresh(tokens.refresh_token)).status, 200)
  assert.equal(payloadOf(tokens.access_token).iss, one.env.issuer)
})

test('the probes of an operator answer at any host and tell nothing', async () => {
  for (const path of ['/healthz', '/readyz']) {
    const answer = await identity.ask('probe.internal', path)
    assert.equal(answer.status, 200)
    assert.deepEqual(Object.keys(answer.json), ['status'])
  }
})

test('a request without a Host is refused', async () => {
  const status = await new Promise<number>((resolve, reject) => {
    send({ port: identity.port, host: '127.0.0.1', path: DISCOVERY, setHost: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode!)
    })
      .on('error', reject)
      .end()
  })
  assert.equal(status, 400)
})
