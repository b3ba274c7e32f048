import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type LocalBench, startLocalBench } from './fixture.ts'

const failures = `
export const handler = async ({ rawQueryString }) => {
  if (rawQueryString === 'throw') throw new TypeError('private detail')
  if (rawQueryString === 'reject') return Promise.reject('just a text')
  if (rawQueryString === 'nothing') return Promise.reject()
  if (rawQueryString === 'cycle') { const a = {}; a.a = a; return a }
  if (rawQueryString === 'bigint') return { n: 1n }
  if (rawQueryString === 'large') return 'x'.repeat(6 * 1024 * 1024 + 200)
  if (rawQueryString === 'largest') return 'x'.repeat(6 * 1024 * 1024)
  return { pid: process.pid }
}`

describe('an unmodified Lambda handler', () => {
  let local: LocalBench
  before(async () => {
    local = await startLocalBench({
      module: { text: 'export const handler = async (event) => ({ path: event.rawPath, version: event.version })' },
      common: {
        file: 'index.js',
        text: 'const os = require("node:os"); exports["handler"] = async () => ({ statusCode: 200, body: typeof os.cpus })',
      },
      dynamic: {
        file: 'index.cjs',
        text: 'const name = "hand" + "ler"; module.exports = { [name]: async () => "found" }',
      },
      nested: {
        text: 'export const api = { v1: { get: async () => "nested" } }',
        config: { handlerName: 'api.v1.get' },
      },
      typed: {
        file: 'index.ts',
        text: 'interface E { rawPath: string }\nexport const handler = async (event: E): Promise<string> => event.rawPath satisfies string',
      },
      callback: {
        text: 'export const handler = (event, context, callback) => { setTimeout(() => callback(null, { statusCode: 202, body: "later" }), 20) }',
      },
      waits: {
        text: `export const handler = (event, context, callback) => {
          let done = false
          setTimeout(() => { done = true }, 100)
          callback(null, { get early() { return !done } })
        }`,
      },
      hurries: {
        text: `export const handler = (event, context, callback) => {
          context.callbackWaitsForEmptyEventLoop = false
          setInterval(() => {}, 1000)
          callback(null, 'at once')
        }`,
      },
      silent: { text: 'export const handler = () => {}' },
      forgets: { text: 'export const handler = () => new Promise(() => {})' },
      fails: { text: failures },
      calledBack: {
        text: 'export const handler = (event, context, callback) => { callback(new Error("private")) }',
      },
      context: {
        text: `export const handler = async (event, context) => {
          const before = context.getRemainingTimeInMillis()
          await new Promise((resolve) => setTimeout(resolve, 30))
          const { getRemainingTimeInMillis, done, fail, succeed, ...rest } = context
          return { ...rest, before, after: getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID, header: event.headers['x-amzn-trace-id'] }
        }`,
        config: { timeoutMs: 5_000, memoryMb: 256 },
      },
      environment: {
        text: 'export const handler = async () => ({ env: process.env, cwd: process.cwd() })',
        config: { environment: { TABLE: 'invoices', AWS_REGION: 'eu-north-1' } },
      },
      logs: {
        text: `export const handler = async (event, context) => {
          console.log('hello %s', 'world', { a: 1 })
          console.error(new Error('broken'))
          console.debug('two\\nlines')
          process.stdout.write('raw\\n')
          return context.awsRequestId
        }`,
      },
      global: {
        text: `globalThis.awslambda = globalThis.awslambda || {}
          globalThis.awslambda.InvokeStore = 'kept'
          export const handler = async () => awslambda.InvokeStore`,
      },
      missing: { text: 'export const other = 1' },
      broken: { text: 'import "./nowhere.mjs"' },
      streams: {
        text: 'export const handler = awslambda.streamifyResponse(async () => {})',
      },
    })
  })
  after(() => local.close())

  const body = async (name: string, query = ''): Promise<unknown> => {
    const answer = await local.call(name, { path: `/${name}${query}` })
    assert.equal(answer.status, 200, `${name} answers ${answer.status} ${answer.body}`)
    return answer.headers['content-type'] === 'application/json' && /^[{[]/.test(answer.body)
      ? JSON.parse(answer.body)
      : answer.body
  }
  const failure = async (name: string, query = ''): Promise<string> => {
    local.bench.logLines.length = 0
    const { status, body } = await local.call(name, { path: `/${name}${query}` })
    assert.deepEqual([status, body], [500, '{"message":"Internal Server Error"}'])
    const line = local.bench.logLines.find(({ msg }) => msg === 'request failed') as { err: { message: string } }
    return line.err.message
  }

  it('runs as a module, in CommonJS and in TypeScript, by name, member or computed name', async () => {
    assert.deepEqual(await body('module'), { path: '/module', version: '2.0' })
    assert.equal(await body('common'), 'function')
    assert.equal(await body('dynamic'), 'found')
    assert.equal(await body('nested'), 'nested')
    assert.equal(await body('typed'), '/typed')
    assert.equal(await body('global'), 'kept')
  })

  it('answers by callback, when nothing is left to wait for unless it says otherwise', async () => {
    const later = await local.call('callback')
    assert.deepEqual([later.status, later.body], [202, 'later'])
    assert.deepEqual(await body('waits'), { early: false })
    assert.equal(await body('hurries'), 'at once')
    assert.equal(await body('hurries'), 'at once')
  })

  it('has answered null when it neither returns nor calls back and nothing is left to wait for', async () => {
    assert.equal(await body('silent'), 'null')
    assert.equal(await body('forgets'), 'null')
    assert.equal(await body('silent'), 'null')
  })

  it('fails as the log says, and the same process takes the next invocation', async () => {
    const { pid } = (await body('fails')) as { pid: number }
    assert.match(await failure('fails', '?throw'), /^fails failed: TypeError: private detail\n +at handler/)
    assert.match(await failure('fails', '?reject'), /just a text/)
    assert.match(await failure('fails', '?nothing'), /without a reason/)
    assert.match(await failure('fails', '?cycle'), /circular/)
    assert.match(await failure('fails', '?bigint'), /BigInt/)
    assert.match(await failure('calledBack'), /Error: private/)
    assert.match(await failure('fails', '?large'), /the result has 6291658 bytes, and 6291556 is the most/)
    assert.equal(((await body('fails', '?largest')) as string).length, 6 * 1024 * 1024)
    assert.deepEqual(await body('fails'), { pid })
  })

  it('is given Lambda’s context', async () => {
    const context = (await body('context')) as Record<string, string & number>
    assert.match(context.awsRequestId!, /^[0-9a-f]{8}-[0-9a-f]{4}-4/)
    assert.equal(context.functionName, 'context')
    assert.equal(context.functionVersion, '$LATEST')
    assert.equal(context.memoryLimitInMB, '256')
    assert.equal(context.invokedFunctionArn, 'arn:aws:lambda:eu-central-1:000000000001:function:context')
    assert.equal(context.callbackWaitsForEmptyEventLoop, true)
    assert.equal(context.logGroupName, '/aws/lambda/context')
    assert.ok(context.before! <= 5_000 && context.after! <= context.before! - 29)
    assert.equal(context.trace, context.header)
  })

  it('sees its own environment and Lambda’s, and nothing of the gateway’s', async () => {
    process.env.GATEWAY_SECRET = 'of the gateway'
    const { cwd, env } = (await body('environment')) as { cwd: string; env: Record<string, string> }
    assert.equal(cwd, `${local.folder}/environment`)
    const { AWS_LAMBDA_LOG_STREAM_NAME: stream, ...rest } = env
    assert.match(stream!, /^[0-9a-f-]{36}$/)
    assert.match(rest._X_AMZN_TRACE_ID!, /^Root=/)
    assert.deepEqual(
      { ...rest, _X_AMZN_TRACE_ID: '' },
      {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        LANG: 'en_US.UTF-8',
        TZ: ':UTC',
        TABLE: 'invoices',
        AWS_REGION: 'eu-north-1',
        AWS_DEFAULT_REGION: 'eu-central-1',
        AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
        AWS_LAMBDA_FUNCTION_NAME: 'environment',
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
        AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
        AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/environment',
        LAMBDA_TASK_ROOT: `${local.folder}/environment`,
        _HANDLER: 'index.handler',
        _X_AMZN_TRACE_ID: '',
      },
    )
  })

  it('logs to the gateway’s logger, each message in one piece, with both request ids', async () => {
    local.logs.length = 0
    const answer = await local.call('logs')
    const written = () => local.logs.filter((line) => line.function === 'logs')
    for (let left = 3_000; left > 0 && written().length < 4; left--) await wait(20)
    await wait(200)
    const lines = written()
    for (const line of lines) {
      assert.equal(line.requestId, answer.body)
      assert.equal(line.id, answer.headers['apigw-requestid'])
    }
    assert.deepEqual(lines.map(({ level, msg }) => [level, String(msg).split('\n    at')[0]]).sort(), [
      [20, 'two\nlines'],
      [30, 'hello world { a: 1 }'],
      [30, 'raw'],
      [50, 'Error: broken'],
    ])
  })

  it('that cannot be loaded fails with what is there instead', async () => {
    assert.match(await failure('missing'), /has no function "handler": it exports other/)
    assert.match(await failure('broken'), /could not be loaded: .*nowhere\.mjs/s)
    assert.match(await failure('streams'), /streamifyResponse cannot be used here: HTTP APIs send whole answers only/)
  })
})
