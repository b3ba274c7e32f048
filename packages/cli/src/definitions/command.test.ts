import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startIssuer, type TestIssuer } from '@tenantry/gateway/test-issuer.ts'

const executable = path.join(import.meta.dirname, '..', 'tenantry.ts')

describe('tenantry gateway', () => {
  let directory: string
  let issuer: TestIssuer

  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'definitions-'))
    issuer = await startIssuer(Date.now)
    write(
      'shop.yaml',
      `openapi: 3.0.1
info: { title: shop, version: "1.0" }
components:
  securitySchemes:
    tenants: { type: oauth2, x-amazon-apigateway-authorizer: { type: jwt, jwtConfiguration: { issuer: "\${issuer}", audience: [a] } } }
paths:
  /todos:
    get: { security: [{ tenants: [] }], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "http://\${stageVariables.backend}/" } }
  /f:
    get: { x-amazon-apigateway-integration: { type: aws_proxy, httpMethod: POST, payloadFormatVersion: "2.0", uri: "arn:aws:lambda:eu-north-1:000000000001:function:f" } }
security: []
`,
    )
    write(
      'sam.yaml',
      `Transform: AWS::Serverless-2016-10-31
Parameters: { Method: { Type: String } }
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: hello/, Handler: index.handler, Runtime: nodejs24.x, Events: { Get: { Type: HttpApi, Properties: { Path: /hello, Method: get } } } }
`,
    )
    write('broken.yaml', 'openapi: 3.0.1\npaths:\n  /a:\n    get:\n      securty: []\n')
  })
  after(async () => {
    rmSync(directory, { recursive: true, force: true })
    await issuer?.close()
  })

  const write = (name: string, text: string): void => writeFileSync(path.join(directory, name), text)
  const run = (...args: string[]) => runWith('', ...args)
  const runWith = (input: string, ...args: string[]) =>
    new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
      const child = spawn(process.execPath, [executable, 'gateway', ...args], { cwd: directory })
      child.stdin.end(input)
      let [out, err] = ['', '']
      child.stdout.on('data', (chunk) => (out += String(chunk)))
      child.stderr.on('data', (chunk) => (err += String(chunk)))
      child.on('close', (code) => resolve({ code, out, err }))
    })
  const shop = () => ['shop.yaml', '--variable', `issuer=${issuer.issuer}`, '--stage-variable', 'backend=up.test']

  it('validates a definition, and names file and line of what is wrong', async () => {
    const valid = await run('validate', ...shop())
    assert.deepEqual([valid.code, valid.out, valid.err], [0, 'shop.yaml is valid. shop ($default): 2 routes\n', ''])
    const broken = await run('validate', 'broken.yaml')
    assert.equal(broken.code, 1)
    assert.match(broken.err, /^tenantry: broken\.yaml:5: paths\.\/a\.get\.securty: "securty" is not known here/m)
    const json = await run('validate', 'broken.yaml', '--json')
    const { valid: isValid, findings } = JSON.parse(json.out)
    assert.deepEqual([json.code, isValid, findings[0].file, findings[0].line], [1, false, 'broken.yaml', 5])
  })

  it('prints what a SAM template defines, with the values it is given', async () => {
    const { code, out } = await run(
      'import',
      'sam.yaml',
      '--parameter',
      'Method=get',
      '--variable',
      'AWS::Region=eu-north-1',
    )
    const { apis, functions } = JSON.parse(out)
    assert.deepEqual([code, apis[0].id, apis[0].routes[0].key], [0, 'serverlesshttpapi', 'GET /hello'])
    assert.deepEqual(functions[0].code, { kind: 'path', path: 'hello/' })
    assert.match(
      (await run('import', 'sam.yaml', '--parameter', 'Mehtod=get')).err,
      /sam\.yaml:2: .*no parameter has that name/,
    )
  })

  it('exports to OpenAPI and CloudFormation, which it reads back', async () => {
    for (const [to, name] of [
      ['openapi', 'out.yaml'],
      ['cloudformation', 'out.json'],
    ] as const) {
      const format = name.endsWith('json') ? 'json' : 'yaml'
      const { code, out, err } = await run('export', ...shop(), '--to', to, '--format', format, '--out', name)
      assert.deepEqual([code, out], [0, ''], err)
      const again = await run('validate', name, '--stage-variable', 'backend=up.test')
      assert.equal(again.code, 0, again.err)
    }
    const { out } = await run('export', ...shop(), '--to', 'openapi', '--without-extensions')
    assert.doesNotMatch(out, /x-amazon/)
  })

  it('says in one line what it cannot write, and ends with 1', async () => {
    for (const [to, out] of [
      ['openapi', 'missing/x.yaml'],
      ['haproxy', 'shop.yaml/directory'],
    ] as const) {
      const options = [
        '--variable',
        `issuer=${issuer.issuer}`,
        '--stage-variable',
        'backend=up.test',
        '--exclude',
        'GET /f',
      ]
      const { code, err } = await run('export', 'shop.yaml', '--to', to, ...options, '--out', out)
      assert.equal(code, 1, err)
      assert.match(err, /^tenantry: The file \S+ cannot be written: [^\n]+\.\n$/m)
      assert.doesNotMatch(err, /\n\s+at /)
      assert.equal(err.trimEnd().split('\n').at(-1)!.includes(out), true)
    }
  })

  it('exports to HAProxy with the keys of the issuers, into a directory, unless a route cannot be', async () => {
    const refused = await run('export', ...shop(), '--to', 'haproxy', '--out', 'proxy')
    assert.deepEqual([refused.code, existsSync(path.join(directory, 'proxy'))], [1, false])
    assert.match(refused.err, /GET \/f \(function\): HAProxy invokes no functions/)
    const written = await run('export', ...shop(), '--to', 'haproxy', '--out', 'proxy', '--exclude', 'GET /f')
    assert.equal(written.code, 0, written.err)
    assert.match(written.out, /^approximate +authorizer tenants: keys - are those of now/m)
    assert.match(readFileSync(path.join(directory, 'proxy', 'a0-0.pem'), 'utf8'), /^-----BEGIN PUBLIC KEY-----/)
    assert.match(readFileSync(path.join(directory, 'proxy', 'haproxy.cfg'), 'utf8'), /^frontend gateway$/m)
  })

  it('says how it is used, and what it does not understand', async () => {
    assert.match((await run('help')).out, /tenantry gateway export <file> --to openapi\|cloudformation\|haproxy/)
    for (const [args, code, message] of [
      [['validate'], 2, /gateway validate wants one file/],
      [['validate', 'shop.yaml', '--nonsense'], 2, /--nonsense/],
      [['validate', 'absent.yaml'], 1, /absent\.yaml cannot be read/],
      [['validate', 'shop.yaml', '--variable', 'x'], 1, /--variable x is not name=value/],
      [['export', 'broken.yaml', '--to', 'envoy'], 1, /broken\.yaml:5/],
      [['export', ...shop(), '--to', 'envoy'], 1, /--to must be one of openapi, cloudformation, haproxy, not "envoy"/],
    ] as const) {
      const { code: found, err } = await run(...args)
      assert.equal(found, code, err)
      assert.match(err, message)
    }
  })

  it('explains a request, with the token from the standard input, and never prints it', async () => {
    const token = issuer.mint({ aud: 'b' })
    const ask = (...args: string[]) => runWith(token, 'explain', ...shop(), '--url', 'http://localhost/todos', ...args)
    const { code, out } = await ask('--token-file', '-')
    assert.equal(code, 3)
    assert.match(out, /✓ signature/)
    assert.match(out, /✗ aud {2}b\n {6}expected: one of a;/)
    assert.match(out, /The gateway answers 401 \{"message":"Unauthorized"\}\n$/)
    for (const part of token.split('.').slice(1)) assert.ok(!out.includes(part))
    const json = await ask('--token-file', '-', '--json')
    assert.equal(JSON.parse(json.out).answer.status, 401)
    write('token', issuer.mint({ aud: 'a' }))
    const passes = await ask('--token-file', 'token')
    assert.deepEqual([passes.code, passes.out.endsWith('The integration answers.\n')], [0, true])
    assert.match(passes.out, /HTTP_PROXY {2}GET http:\/\/up\.test\//)
    const open = await ask('--url', 'http://localhost/f')
    assert.match(open.out, /the route is open[\s\S]*AWS_PROXY {2}arn:aws:lambda:eu-north-1:000000000001:function:f/)
    const without = await run('explain', ...shop())
    assert.deepEqual([without.code, without.err], [1, 'tenantry: Say --url, as in --url http://localhost/pets.\n'])
  })
})
