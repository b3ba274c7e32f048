import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import type { Api } from '../api.ts'
import { createGateway } from '../gateway.ts'
import { type Bench, replaceOrThrow, type Send, startBench } from '../test-gateway.ts'
import { logToLines } from './access-log.ts'
import { openLogFile } from './file.ts'
import { accessLogFault, compileAccessLog, defaultFormat, entryBytes } from './format.ts'

const id = '$context.requestId'

describe('the access log of a stage', () => {
  let bench: Bench
  let api: Api
  let lines: string[] = []
  before(async () => {
    bench = await startBench(undefined, {
      accessLog: logToLines({ write: (line) => void lines.push(line), close: async () => undefined }),
    })
    api = (await bench.load(bench.document)).api
  })
  after(() => bench.close())
  beforeEach(() => {
    lines = []
    bench.upstream.reply = null
  })

  const use = (accessLogFormat: string | null, timeoutMs = 20_000): void => {
    const integrations = Object.fromEntries(
      Object.entries(api.integrations).map(([key, integration]) => [key, { ...integration, timeoutMs }]),
    )
    replaceOrThrow(bench.gateway, [{ ...api, integrations, stage: { ...api.stage, accessLogFormat } }])
  }
  const entry = async (options: Send): Promise<string> => {
    lines = []
    await bench.send(options)
    // The answer leaves before its entry is written.
    for (let i = 0; i < 10_000 && lines.length === 0; i++) await wait(5)
    assert.equal(lines.length, 1)
    assert.ok(lines[0]!.endsWith('\n'))
    return lines[0]!.slice(0, -1)
  }

  it('writes every variable of a proxied request', async () => {
    use(
      JSON.stringify(
        Object.fromEntries(
          [
            ...[
              'accountId',
              'apiId',
              'domainName',
              'domainPrefix',
              'httpMethod',
              'identity.sourceIp',
              'path',
              'protocol',
            ],
            ...['identity.userAgent', 'routeKey', 'stage', 'status', 'responseLength', 'dataProcessed', 'requestId'],
            ...['extendedRequestId', 'integration.status', 'integrationStatus', 'integration.integrationStatus'],
            ...['awsEndpointRequestId', 'awsEndpointRequestId2', 'integration.requestId', 'integrationLatency'],
            ...['integration.latency', 'responseLatency', 'requestTime', 'requestTimeEpoch', 'error.message'],
            ...['authorizer.claims.sub', 'authorizer.claims.roles', 'authorizer.claims', 'identity.userArn'],
          ].map((name) => [name, `$context.${name}`]),
        ),
      ),
    )
    bench.upstream.reply = (request, response) =>
      void request.resume().on('end', () => {
        response.writeHead(201, { 'x-amzn-requestid': 'aws-1', 'x-amz-id-2': 'aws-2' }).end('hello')
      })
    const token = bench.issuer.mint({ scope: 'write:todos', roles: ['a', 'b'] })
    const send = { path: '/todos?x=1', method: 'POST', token, body: 'abc', headers: { 'user-agent': 'probe/1' } }
    const values = JSON.parse(await entry(send)) as Record<string, string>
    const { requestId, extendedRequestId, requestTimeEpoch, requestTime, ...rest } = values
    assert.match(requestId!, /^[\w-]{15}=$/)
    assert.equal(extendedRequestId, requestId)
    assert.match(requestTimeEpoch!, /^\d{13}$/)
    assert.match(requestTime!, /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/)
    for (const name of ['integrationLatency', 'integration.latency', 'responseLatency']) {
      assert.match(rest[name]!, /^\d+$/, name)
      delete rest[name]
    }
    assert.deepEqual(rest, {
      accountId: '000000000000',
      apiId: 'shop',
      domainName: '127.0.0.1',
      domainPrefix: '127',
      httpMethod: 'POST',
      'identity.sourceIp': '127.0.0.1',
      path: '/todos',
      protocol: 'HTTP/1.1',
      'identity.userAgent': 'probe/1',
      routeKey: 'POST /todos',
      stage: '$default',
      status: '201',
      responseLength: '5',
      dataProcessed: '8',
      'integration.status': '201',
      integrationStatus: '201',
      'integration.integrationStatus': '201',
      awsEndpointRequestId: 'aws-1',
      awsEndpointRequestId2: 'aws-2',
      'integration.requestId': 'aws-1',
      'error.message': '-',
      'authorizer.claims.sub': 'auth0|1',
      'authorizer.claims.roles': '[a b]',
      'authorizer.claims': '-',
      'identity.userArn': '-',
    })
  })

  it('says why the gateway refused, quoted where JSON wants a value', async () => {
    use(
      `{"id":"${id}","why":"$context.error.message","quoted":$context.error.messageString,"type":"$context.error.responseType","auth":"$context.authorizer.error","none":$context.integrationStatus,"status":$context.status}`,
    )
    const refused = JSON.parse(await entry({ path: '/todos' })) as Record<string, unknown>
    delete refused.id
    assert.deepEqual(refused, {
      why: 'Unauthorized',
      quoted: 'Unauthorized',
      type: 'UNAUTHORIZED',
      auth: 'missing: token not provided',
      none: '-',
      status: 401,
    })
  })

  it('says what went wrong between gateway and integration', async () => {
    const format = `${id},"$context.integrationErrorMessage",$context.error.responseType,$context.status`
    use(format, 300)
    bench.upstream.reply = () => undefined
    assert.match(
      await entry({ path: '/pets/1', token: bench.issuer.mint() }),
      /,"the integration did not answer in time",INTEGRATION_TIMEOUT,503$/,
    )
    use(format)
    bench.upstream.reply = (_request, response) => void response.socket?.destroy()
    assert.match(
      await entry({ path: '/pets/1', token: bench.issuer.mint() }),
      /,"the upstream closed the connection [^"]+",INTEGRATION_FAILURE,503$/,
    )
  })

  const hostile = '", "status": 200}\n{"id":"forged\r\n[x] <b> & , ; | \u001b[31m \u0085\u2028\u202e end\\'

  it('N138 lets no claim break or forge a line of JSON', async () => {
    use(`{"id":"${id}","name":"$context.authorizer.claims.name","bare":$context.authorizer.claims.name}`)
    const line = await entry({ path: '/pets/1', token: bench.issuer.mint({ name: hostile }) })
    const { id: _, ...rest } = JSON.parse(line) as Record<string, string>
    assert.deepEqual(rest, { name: hostile, bare: hostile })
    assert.match(line, /^[\x20-\x7e]+$/)
  })

  it('N138 lets no claim break or forge a line of XML, of CSV or of the common log format', async () => {
    const token = bench.issuer.mint({ name: hostile })
    use(`<request id="${id}"><name>$context.authorizer.claims.name</name></request>`)
    const xml = await entry({ path: '/pets/1', token })
    assert.match(xml, /^<request id="[\w-]+="><name>[^<>"]+<\/name><\/request>$/)
    use(`${id},$context.authorizer.claims.name,"$context.authorizer.claims.name",$context.status`)
    const csv = await entry({ path: '/pets/1', token })
    assert.match(csv, /^[\w-]+=,[^,"]+,"[^"]+",200$/)
    use(
      `$context.identity.sourceIp $context.authorizer.claims.name [$context.authorizer.claims.name] [$context.requestTime] "$context.httpMethod $context.authorizer.claims.name" $context.status ${id}`,
    )
    const common = await entry({ path: '/pets/1', token })
    assert.match(common, /^127\.0\.0\.1 [^ "[\]]+ \[[^\]]+\] \[\S+ \+0000\] "GET (?:[^"\\]|\\.)+" 200 [\w-]+=$/)
    for (const line of [xml, csv, common]) assert.match(line, /^[\x20-\x7e]+$/)
  })

  it('N138 lets neither a header nor a path break a line', async () => {
    use(`{"id":"${id}","agent":"$context.identity.userAgent","path":"$context.path","host":"$context.domainName"}`)
    const line = await entry({ path: '/open/a%22%20b', headers: { 'user-agent': 'x","status":"200\t\u00e9\u0085' } })
    const { agent, path } = JSON.parse(line) as Record<string, string>
    assert.equal(agent, 'x","status":"200\t\u00e9\u0085')
    assert.equal(path, '/open/a%22%20b')
    assert.match(line, /^[\x20-\x7e\u00a0-\u00ff]+$/)
  })

  it('N53 never writes a token, wherever it is sent', async () => {
    use(`${id} $context.path $context.identity.userAgent $context.authorizer.claims.copy $context.authorizer.error`)
    const token = bench.issuer.mint({ copy: bench.issuer.mint() })
    const line = await entry({
      path: `/open/${token}?t=${token}`,
      headers: { 'user-agent': token, authorization: token },
    })
    assert.doesNotMatch(line, /eyJ/)
    assert.match(line, / \/open\/\[token\] /)
    assert.doesNotMatch(await entry({ path: '/pets/1', token }), /eyJ/)
  })

  it('cuts values, never the line, when an entry would be larger than 1 MB', async () => {
    const format = compileAccessLog(`{"id":"${id}"${',"n":"$context.path"'.repeat(100)}}`)
    const huge = { id: 'x', path: { path: `/${'\u0001'.repeat(20_000)}` }, basePath: '', isMapped: false } as never
    const line = format.line(huge)
    assert.ok(Buffer.byteLength(line) <= entryBytes, `${Buffer.byteLength(line)}`)
    assert.equal((JSON.parse(line) as { id: string }).id, 'x')
  })

  it('writes no entry for what reaches no stage and for bodies that are too large, as AWS does', async () => {
    bench.gateway.replace([{ ...api, endpoints: [{ host: 'only.test', basePath: 'v1', kind: 'mapping' }] }])
    await bench.send({ path: '/pets/1' })
    await bench.send({ path: '/other', headers: { host: 'only.test' } })
    await bench.send({
      path: '/v1/open/a',
      method: 'POST',
      headers: { host: 'only.test', 'content-length': '20000000' },
    })
    assert.match(
      await entry({ path: '/v1/open/a', headers: { host: 'only.test' } }),
      /"route":"ANY \/open\/\{proxy\+\}"/,
    )
  })

  it('refuses a format without the request id, on two lines or above 3 KB, and serves on', async () => {
    use(null)
    assert.throws(() => use('$context.status'), /must contain \$context\.requestId/)
    assert.throws(() => use(`${id}\n$context.status`), /single line/)
    assert.throws(() => use(id + 'x'.repeat(3_072)), /longer than 3072 bytes/)
    assert.equal(accessLogFault(`${id}\n`), null)
    assert.equal(accessLogFault(defaultFormat), null)
    assert.match(await entry({ path: '/open/a' }), /"status":200,/)
  })

  it('prints "-" for a variable that only REST APIs have, and warns of it', async () => {
    use(`${id} $context.resourcePath $context.authorizer.latency $context.status-x`)
    assert.match(await entry({ path: '/open/a' }), /^\S+ - - 200-x$/)
    const warned = bench.logLines.map(({ msg }) => String(msg)).filter((msg) => msg.startsWith('$context'))
    assert.deepEqual(warned, ['$context.resourcePath is no variable of an HTTP API; it prints "-"'])
  })
})

describe('the file of an access log', () => {
  it('holds every line, begins a new file when the old one is moved away, and loses nothing at the end', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'access-log-'))
    const path = join(directory, 'deep', 'access.log')
    try {
      const file = await openLogFile(path, pino({ level: 'silent' }))
      file.write('one\n')
      for (let i = 0; i < 2_400 && readFileSync(path, 'utf8') === ''; i++) await wait(25)
      renameSync(path, `${path}.1`)
      const isNew = (): boolean => {
        try {
          return readFileSync(path, 'utf8') === ''
        } catch {
          return false
        }
      }
      for (let i = 0; i < 2_400 && !isNew(); i++) await wait(25)
      file.write('two\n')
      await file.close()
      assert.equal(readFileSync(`${path}.1`, 'utf8'), 'one\n')
      assert.equal(readFileSync(path, 'utf8'), 'two\n')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('says why it cannot be opened', async () => {
    const below = join(fileURLToPath(import.meta.url), 'access.log')
    await assert.rejects(openLogFile(below, pino({ level: 'silent' })), { code: 'EEXIST' })
  })

  it('is written by a gateway until it is closed', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'access-log-'))
    const path = join(directory, 'access.log')
    const bench = await startBench()
    try {
      const { api } = await bench.load(bench.document)
      const logger = pino({ level: 'silent' })
      const gateway = createGateway({
        apis: [api],
        clock: bench.clock,
        logger,
        accessLog: logToLines(await openLogFile(path, logger)),
      })
      const { port } = await gateway.listen(0, '127.0.0.1')
      const { headers } = await fetch(`http://127.0.0.1:${port}/open/a`, { headers: { connection: 'close' } })
      await gateway.close()
      const { id: logged, route } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
      assert.deepEqual([logged, route], [headers.get('apigw-requestid'), 'ANY /open/{proxy+}'])
    } finally {
      await bench.close()
      rmSync(directory, { recursive: true })
    }
  })
})
