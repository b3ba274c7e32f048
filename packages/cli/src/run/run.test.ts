import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { get as getSecurely } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { json } from 'node:stream/consumers'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startIssuer, type TestIssuer } from '@tenantry/gateway/test-issuer.ts'
import { issue, type TestCertificate } from '@tenantry/gateway/tls/test-certificates.ts'

const executable = fileURLToPath(new URL('../tenantry.ts', import.meta.url))

let issuer: TestIssuer
before(async () => {
  issuer = await startIssuer(() => Date.now())
})
after(() => issuer.close())

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenantry-run-'))
  mkdirSync(join(folder, 'src'))
})
const processes: ChildProcess[] = []
afterEach(async () => {
  await Promise.all(
    processes.splice(0).map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    }),
  )
  rmSync(folder, { recursive: true, force: true })
})

const template = (events = 'List: { Type: HttpApi, Properties: { Path: /notes, Method: GET } }') =>
  `
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        Authorizers:
          People:
            IdentitySource: $request.header.Authorization
            JwtConfiguration: { issuer: "${issuer.issuer}", audience: ["https://api.example.test"] }
  Notes:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: nodejs24.x
      Timeout: 10
      CodeUri: src/
      Handler: notes.handler
      Environment: { Variables: { GREETING: hello } }
      Events:
        ${events}
`.replaceAll('Type: HttpApi, Properties: {', 'Type: HttpApi, Properties: { ApiId: !Ref Api,')

/** Until it takes no connections any more. */
async function untilRefused(url: string): Promise<void> {
  const { hostname, port } = new URL(url)
  const isRefused = () =>
    new Promise((resolve) => {
      const socket = connect(Number(port), hostname, () => resolve(false)).once('error', () => resolve(true))
      socket.once('connect', () => socket.destroy())
    })
  while (!(await isRefused())) await new Promise((resolve) => setTimeout(resolve, 20))
}

const handler = (result: string) => `export const handler = async (event) => ({ result: ${result} })`
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)

interface Run {
  readonly child: ChildProcess
  readonly url: string
  readonly ready: { routes: unknown[]; warnings: string[]; tlsPort?: number }
  /** The next line of that kind. */
  next(event: string): Promise<Record<string, unknown>>
}

function launch(...args: string[]) {
  const child = spawn(process.execPath, [executable, 'gateway', 'run', 'template.yaml', '--port', '0', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  processes.push(child)
  return child
}

async function run(...args: string[]): Promise<Run> {
  const child = launch('--json', ...args)
  const lines: Record<string, unknown>[] = []
  const said = new EventEmitter()
  let complaints = ''
  child.stderr!.on('data', (chunk) => {
    complaints += chunk
  })
  child.once('exit', () => said.emit('error', new Error(`it ended: ${complaints}`)))
  said.on('error', () => {})
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push(JSON.parse(line))
    said.emit('line')
  })
  const next = async (event: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const at = lines.findIndex((line) => line.event === event)
      if (at !== -1) return lines.splice(at, 1)[0]!
      await once(said, 'line', { signal: AbortSignal.timeout(180_000) })
    }
  }
  const ready = (await next('ready')) as never as Run['ready'] & { port: number }
  return { child, ready, next, url: `http://127.0.0.1:${ready.port}` }
}

const ask = async (url: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(url, { headers })
  // biome-ignore lint/suspicious/noExplicitAny: whatever the function returned
  return { status: answer.status, body: (await answer.json()) as any }
}

test('a SAM template is served with its functions, and what is changed of either is served at once', async () => {
  write('template.yaml', template())
  write('src/notes.mjs', handler('[event.rawPath, process.env.GREETING]'))
  const { url, ready, next } = await run()
  assert.deepEqual(ready.warnings, [])
  assert.deepEqual(ready.routes, [
    { method: 'GET', url: `${url.replace('127.0.0.1', 'localhost')}/notes`, target: 'Notes', access: 'open' },
  ])
  assert.deepEqual(await ask(`${url}/notes`), { status: 200, body: { result: ['/notes', 'hello'] } })
  const { status, route, path } = await next('request')
  assert.deepEqual({ status, route, path }, { status: 200, route: 'GET /notes', path: '/notes' })

  write('src/notes.mjs', handler("'changed'"))
  // The folder's watcher tells the pool a moment later.
  for (let tries = 0; ; tries++) {
    const { body } = await ask(`${url}/notes`)
    if (JSON.stringify(body) === '{"result":"changed"}') break
    assert.ok(tries < 1_200, JSON.stringify(body))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }

  write('template.yaml', template('All: { Type: HttpApi, Properties: { Path: /all, Method: GET } }'))
  await next('ready')
  assert.deepEqual(await ask(`${url}/all`), { status: 200, body: { result: 'changed' } })
  assert.equal((await ask(`${url}/notes`)).status, 404)

  write('template.yaml', template('All: { Type: HttpApi, Properties: { Path: /all, Metod: GET } }'))
  assert.match(String((await next('failed')).reason), /template\.yaml:\d+: .*"Metod" is not known here/)
  assert.equal((await ask(`${url}/all`)).status, 200)
})

test('of two changes the later one is served, also when reading the first takes longer', async () => {
  const served = (name: string) => template(`Only: { Type: HttpApi, Properties: { Path: /${name}, Method: GET } }`)
  write('template.yaml', served('first'))
  write('src/notes.mjs', handler("'here'"))
  const { url, next } = await run()
  const { answers } = issuer
  const { discovery } = answers
  const asked = new Promise<() => void>((resolve) => {
    answers.discovery = (response) => {
      answers.discovery = discovery
      resolve(() => discovery(response))
    }
  })
  write('template.yaml', served('second'))
  const answer = await asked
  write('template.yaml', served('third'))
  // Until its change is noticed; not for so long that the gateway gives the issuer up.
  await new Promise((resolve) => setTimeout(resolve, 500))
  answer()
  for (const name of ['second', 'third']) assert.match(JSON.stringify((await next('ready')).routes), new RegExp(name))
  assert.equal((await ask(`${url}/third`)).status, 200)
  assert.equal((await ask(`${url}/second`)).status, 404)
})

test('a second interrupt leaves at once, and no function behind that is caught in a loop', async () => {
  write('template.yaml', template())
  write(
    'src/notes.mjs',
    'export const handler = async () => { console.log(process.pid); await new Promise((r) => setTimeout(r, 50)); for (;;); }',
  )
  const { url, child } = await run('--no-watch')
  ask(`${url}/notes`).catch(() => undefined)
  let pid = 0
  createInterface({ input: child.stdout! }).on('line', (line) => {
    pid ||= Number(JSON.parse(line).msg) || 0
  })
  while (pid === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  await new Promise((resolve) => setTimeout(resolve, 200))
  child.kill('SIGINT')
  // Two that come before the first is seen are one.
  await untilRefused(url)
  child.kill('SIGINT')
  await once(child, 'exit')
  assert.equal(child.exitCode, 130)
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      break
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})

test('tokens are verified as on AWS: none and a forged one are refused, a good one reaches the function with its claims', async () => {
  const auth = 'Auth: { Authorizer: People, AuthorizationScopes: ["read:notes"] }'
  write('template.yaml', template(`List: { Type: HttpApi, Properties: { Path: /notes, Method: GET, ${auth} } }`))
  write('src/notes.mjs', handler('event.requestContext.authorizer.jwt'))
  const { url } = await run('--no-watch')
  const as = (token: string) => ask(`${url}/notes`, { authorization: `Bearer ${token}` })
  assert.deepEqual(await ask(`${url}/notes`), { status: 401, body: { message: 'Unauthorized' } })
  const token = issuer.mint({ scope: 'read:notes', org_id: 'org_1' })
  assert.deepEqual(await as(`${token.slice(0, -8)}AAAAAAAA`), { status: 401, body: { message: 'Unauthorized' } })
  assert.deepEqual(await as(issuer.mint({ scope: 'write:notes' })), { status: 403, body: { message: 'Forbidden' } })
  const { status, body } = await as(token)
  assert.equal(status, 200)
  assert.equal(body.result.claims.org_id, 'org_1')
  assert.deepEqual(body.result.scopes, ['read:notes'])
})

test('--env-vars gives functions values by their logical id, and --parameter fills the template', async () => {
  const filled = template().replace('GREETING: hello', 'GREETING: hello, PLACE: !Ref Place')
  write('template.yaml', `Parameters: { Place: { Type: String } }${filled.replace('notes.handler', 'notes.api.get')}`)
  // A handler may be a member of an export.
  const get = 'async () => ({ result: [process.env.GREETING, process.env.PLACE] })'
  write('src/notes.mjs', `export const api = { get: ${get} }`)
  write('env.json', JSON.stringify({ Notes: { GREETING: 'good evening' } }))
  const { url } = await run('--env-vars', 'env.json', '--parameter', 'Place=harbour')
  assert.deepEqual(await ask(`${url}/notes`), { status: 200, body: { result: ['good evening', 'harbour'] } })
})

test('--import gives what another stack exports, and a change of an included file is served at once', async () => {
  const api = (path: string, uri: string): string => `
openapi: 3.0.1
paths: { ${path}: { get: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "${uri}" } } } }`
  write(
    'template.yaml',
    `Resources:
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: { Name: !ImportValue name, Body: { Fn::Transform: { Name: AWS::Include, Parameters: { Location: api.yaml } } } }
  Stage: { Type: AWS::ApiGatewayV2::Stage, Properties: { ApiId: !Ref Api, StageName: $default, AutoDeploy: true } }
`,
  )
  write('api.yaml', api('/first', 'http://up.test/'))
  const { ready, next } = await run('--import', 'name=notes')
  assert.match(JSON.stringify(ready.routes), /\/first/)
  write('api.yaml', api('/second', 'http://up.test/'))
  assert.match(JSON.stringify((await next('ready')).routes), /\/second/)
  write('api.yaml', api('/third', 'nowhere'))
  assert.match(String((await next('failed')).reason), /api\.yaml:3: .*uri/)
})

test('a function that cannot be run here is told when it starts, and by 500 when it is called', async () => {
  write('template.yaml', template().replace('nodejs24.x', 'python3.13'))
  const { url, ready, next } = await run()
  assert.deepEqual(ready.warnings, [
    'the function Notes is not run: its runtime is python3.13, and Node.js is what is run here',
  ])
  assert.deepEqual(await ask(`${url}/notes`), { status: 500, body: { message: 'Internal Server Error' } })
  assert.match(String((await next('request')).error), /python3\.13/)
})

const mutual =
  'Domain: { DomainName: api.test, CertificateArn: x, MutualTlsAuthentication: { TruststoreUri: s3://a/b } }'

test('N218 a domain with mutual TLS is closed without a truststore, which is told, and the API answers elsewhere', async () => {
  write('template.yaml', template().replace('      Auth:', `      ${mutual}\n      Auth:`))
  write('src/notes.mjs', handler('1'))
  const { url, ready } = await run()
  assert.deepEqual(ready.warnings, [
    'api.test is closed here: its clients need certificates; see --tls-port and --truststore',
  ])
  const [response] = await once(get(`${url}/notes`, { headers: { host: 'api.test' } }), 'response')
  assert.equal(response.resume().statusCode, 421)
  assert.equal((await ask(`${url}/notes`)).status, 200)
})

/** A definition with a domain of mutual TLS, served with a truststore that knows one device. */
async function runMutual(text: string) {
  const authority = await issue({ name: 'Devices', isAuthority: true })
  const device = await issue({ name: 'device-1', issuer: authority })
  const server = await issue({ name: 'server', hosts: ['localhost', 'api.test'] })
  write('tls.pem', server.cert + server.key)
  write('devices.pem', authority.cert)
  write('template.yaml', text)
  const running = await run('--tls-port', '0', '--tls-cert', 'tls.pem', '--truststore', 'api.test=devices.pem')
  const call = async (servername: string, client?: TestCertificate) => {
    const { tlsPort: port } = running.ready
    const trust = { ca: server.cert, servername, ...(client ? { cert: client.cert, key: client.key } : {}) }
    const options = { port, host: '127.0.0.1', path: '/notes', headers: { host: servername }, agent: false, ...trust }
    const [response] = await once(getSecurely(options), 'response')
    return { status: response.statusCode, body: await json(response) }
  }
  return { ...running, device, call }
}
const withMutual = () => template().replace('      Auth:', `      ${mutual}\n      Auth:`)
const forbidden = { status: 403, body: { message: 'Forbidden' } }

test('N218 with --tls-port a domain lets in whoever its truststore knows, and the function sees the certificate', async () => {
  write('src/notes.mjs', handler('event.requestContext.authentication?.clientCert?.subjectDN'))
  const { ready, device, call } = await runMutual(withMutual())
  assert.deepEqual(ready.warnings, [])
  assert.deepEqual(await call('api.test', device), { status: 200, body: { result: 'CN=device-1' } })
  assert.deepEqual(await call('api.test'), forbidden)
  assert.deepEqual(await call('api.test', await issue({ name: 'stranger' })), forbidden)
  assert.deepEqual(await call('localhost'), { status: 200, body: {} })
})

test('N218 a changed definition with a truststore that cannot be used is told of, and what was served still is', async () => {
  write('src/notes.mjs', handler('1'))
  const { device, next, call } = await runMutual(withMutual())
  write('devices.pem', 'no certificate')
  write('template.yaml', withMutual().replaceAll('/notes', '/other'))
  assert.match(String((await next('failed')).reason), /the domain "api\.test" cannot be served/)
  assert.deepEqual(await call('api.test', device), { status: 200, body: { result: 1 } })
  assert.deepEqual(await call('api.test'), forbidden)
})

test('--tls-port shows the certificate of this directory for localhost, and tells which domain it does not cover', async () => {
  write(
    'template.yaml',
    template().replace('      Auth:', '      Domain: { DomainName: api.test, CertificateArn: x }\n      Auth:'),
  )
  write('src/notes.mjs', handler('1'))
  const { ready } = await run('--tls-port', '0')
  assert.deepEqual(ready.warnings, ['api.test has no TLS here: Tenantry’s own certificate does not cover it'])
  const ca = readFileSync(join(folder, '.tenantry/tls/ca.pem'))
  const [response] = await once(getSecurely({ host: 'localhost', port: ready.tlsPort, path: '/notes', ca }), 'response')
  assert.deepEqual([response.statusCode, await json(response)], [200, { result: 1 }])
})

test('a template that is wrong ends with its file, line and reason, and no stack', async () => {
  write('template.yaml', template().replace('Method: GET', 'Metod: GET'))
  const child = launch()
  let said = ''
  child.stderr!.on('data', (chunk) => {
    said += chunk
  })
  const [code] = await once(child, 'exit')
  assert.equal(code, 1)
  assert.match(said, /^tenantry: .*template\.yaml:\d+: .*"Metod" is not known here/)
  assert.doesNotMatch(said, /\n\s+at /)
})

test('an option that cannot be used ends with its name and reason, and no stack', async () => {
  write('template.yaml', template())
  for (const [args, reason] of [
    [['--port', 'abc'], /^tenantry: --port abc must be a number from 0 to 65535/],
    [['--port', '65536'], /^tenantry: --port 65536 must be a number from 0 to 65535/],
    [['--ca', 'none.pem'], /^tenantry: --ca none\.pem cannot be read: ENOENT/],
    [['--tls-cert', 'none.pem'], /^tenantry: --tls-cert needs --tls-port/],
    [['--tls-port', '0', '--tls-cert', 'none.pem'], /^tenantry: --tls-cert none\.pem cannot be read: ENOENT/],
    [
      ['--tls-port', '0', '--tls-cert', 'template.yaml'],
      /^tenantry: --tls-cert template\.yaml must hold a certificate, its chain and one private key/,
    ],
    [
      ['--tls-port', '0', '--truststore', 'x.test=none.pem'],
      /^tenantry: template\.yaml cannot be served: --truststore x\.test: the definition has no domain of this name/,
    ],
  ] as const) {
    const child = launch(...args)
    let said = ''
    child.stderr!.on('data', (chunk) => {
      said += chunk
    })
    const [code] = await once(child, 'exit')
    assert.equal(code, 1)
    assert.match(said, reason)
    assert.doesNotMatch(said, /\n\s+at /)
  }
})

test('SIGTERM lets the request under way finish, and ends with 0', async () => {
  write('template.yaml', template())
  write(
    'src/notes.mjs',
    'export const handler = () => new Promise((resolve) => { console.log("begun"); setTimeout(resolve, 700, { done: true }) })',
  )
  const { url, child } = await run()
  const begun = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => JSON.parse(line).msg === 'begun' && resolve())
  })
  const answer = ask(`${url}/notes`)
  await begun
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  assert.deepEqual(await answer, { status: 200, body: { done: true } })
  assert.equal(code, 0)
})
