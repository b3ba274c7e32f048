import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Api } from './api.ts'
import type { Explanation } from './explain.ts'
import { type Bench, startBench } from './test-gateway.ts'
import type { Step } from './trace.ts'

const url = 'http://gateway.test'

describe('an explanation', () => {
  let bench: Bench
  let api: Api
  before(async () => {
    bench = await startBench()
    api = (await bench.load(bench.document)).api
  })
  after(() => bench.close())

  const ask = (path: string, token?: string, method = 'GET'): Promise<Explanation> =>
    bench.gateway.explain({ method, url: url + path, ...(token === undefined ? {} : { token }) })
  const failed = ({ steps }: Explanation): string[] =>
    steps.filter(({ passed }) => passed === false).map(({ at, check }) => `${at} ${check}`)
  const step = ({ steps }: Explanation, check: string): Step => steps.find((each) => each.check === check)!

  it('names every check of a request that passes, in order, and where it would go', async () => {
    bench.upstream.seen.length = 0
    const explained = await ask('/todos?secret=1', bench.issuer.mint({ scope: 'openid read:todos' }))
    assert.equal(explained.answer, null)
    assert.deepEqual(
      explained.steps.map(({ at, check, passed }) => [at, check, passed]),
      [
        ['path', 'the path has one reading', true],
        ['host', 'an API answers', true],
        ['route', 'GET /todos', true],
        ['authorizer', 'JWT tenants', null],
        ['authorizer', 'token', true],
        ['authorizer', 'segments', true],
        ['authorizer', 'form', true],
        ['authorizer', 'alg', true],
        ['authorizer', 'kid', true],
        ['authorizer', 'key', true],
        ['authorizer', 'signature', true],
        ['authorizer', 'iss', true],
        ['authorizer', 'aud', true],
        ['authorizer', 'exp', true],
        ['authorizer', 'nbf', true],
        ['authorizer', 'iat', true],
        ['authorizer', 'scopes', true],
        ['integration', 'HTTP_PROXY', null],
      ],
    )
    assert.equal(step(explained, 'HTTP_PROXY').actual, `GET ${bench.upstream.url}/todos`)
    assert.match(step(explained, 'GET /todos').expected!, /: GET \/todos, POST \/todos, \$default$/)
    assert.equal(bench.upstream.seen.length, 0)
  })

  it('says of each fault of a token what was expected and what was there, and answers as the gateway does', async () => {
    const past = Math.floor(bench.clock.now().getTime() / 1000) - 60
    const mint = bench.issuer.mint
    const [head, body] = mint({ scope: 'read:todos' }).split('.')
    const cases: [string | undefined, string[], (explained: Explanation) => void][] = [
      [undefined, ['authorizer token'], (found) => assert.equal(step(found, 'token').actual, 'absent')],
      ['opaque-token', ['authorizer segments'], (found) => assert.equal(step(found, 'segments').actual, '1')],
      [mint({}, { alg: 'ES256' }), ['authorizer alg'], (found) => assert.equal(step(found, 'alg').actual, 'ES256')],
      [
        mint({}, { kid: 'other' }),
        ['authorizer key'],
        (found) => assert.equal(step(found, 'key').actual, 'its key set has none'),
      ],
      [`${head}.${body}.${mint({ sub: 'x' }).split('.')[2]}`, ['authorizer signature'], () => undefined],
      [
        mint({ aud: 'https://other.test', exp: past }),
        ['authorizer aud', 'authorizer exp'],
        (found) => {
          assert.equal(step(found, 'aud').actual, 'https://other.test')
          assert.match(step(found, 'aud').expected!, /^one of https:\/\/api\.example\.test/)
          assert.equal(step(found, 'exp').actual, String(past))
        },
      ],
      [
        mint({ iss: 'https://evil.test/' }),
        ['authorizer iss'],
        (found) => assert.equal(step(found, 'iss').actual, 'https://evil.test/'),
      ],
      [
        mint({ scope: 'read:todosX' }),
        ['authorizer scopes'],
        (found) => {
          assert.deepEqual(
            [step(found, 'scopes').expected, step(found, 'scopes').actual],
            ['one of read:todos, admin:todos', 'read:todosX'],
          )
        },
      ],
    ]
    for (const [token, expected, look] of cases) {
      const explained = await ask('/todos', token)
      assert.deepEqual(failed(explained), expected)
      look(explained)
      const { status, body } = await bench.send({ path: '/todos', ...(token === undefined ? {} : { token }) })
      assert.deepEqual(explained.answer, { status, body })
    }
  })

  it('makes every check again for a token that the gateway remembers', async () => {
    const token = bench.issuer.mint({ scope: 'read:todos' })
    assert.equal((await bench.send({ path: '/todos', token })).status, 200)
    assert.equal(step(await ask('/todos', token), 'signature').passed, true)
  })

  it('says why no route was chosen, and which come close', async () => {
    for (const [path, method, expected] of [
      ['/Todos', 'GET', /none.*GET \/todos, POST \/todos, \$default/],
      ['/todos/', 'POST', /none.*GET \/todos, POST \/todos/],
      ['/pets/1/2/3', 'GET', /\$default.*\$default/],
    ] as const) {
      const explained = await ask(path, undefined, method)
      const { actual, expected: near } = step(explained, `${method} ${path}`)
      assert.match(`${actual} ${near}`, expected)
      assert.equal(explained.answer?.status ?? 200, (await bench.send({ path, method })).status)
    }
    const odd = await ask('/a/../todos')
    assert.deepEqual([failed(odd), odd.answer?.status], [['path the path has one reading'], 400])
  })

  it('shows limits without taking anything from them', async () => {
    const limited: Api = {
      ...api,
      id: 'explained-limits',
      stage: { ...api.stage, throttling: { rateLimit: 0.001, burstLimit: 2 } },
      tenantLimits: {
        tenant: { from: 'claim', name: 'org_id' },
        plan: null,
        plans: { only: { perSecond: 0.001, burst: 1 } },
        tenants: {},
        defaultPlan: 'only',
      },
    }
    bench.gateway.replace([limited])
    const token = bench.issuer.mint({ scope: 'read:todos', org_id: 'org_a' })
    for (let i = 0; i < 5; i++) assert.equal((await ask('/todos', token)).answer, null)
    assert.equal((await bench.send({ path: '/todos', token })).status, 200)
    const explained = await ask('/todos', token)
    assert.deepEqual(explained.answer, { status: 429, body: '{"message":"Too Many Requests"}' })
    assert.equal(step(explained, 'stage $default').actual, '1 left')
    const { passed, expected, actual } = step(explained, 'tenant org_a (only)')
    assert.deepEqual([passed, expected, actual], [false, '0.001 per second, 1 at once', '0 left'])
    bench.gateway.replace([api])
  })

  it('N53 never repeats a token, wherever it was put', async () => {
    const token = bench.issuer.mint({ scope: 'read:todos' })
    const opaque = 'an-opaque-token-of-somebody'
    for (const [path, sent] of [
      [`/todos/${token}`, token],
      [`/open/${opaque}`, opaque],
      [`/todos?t=${token}`, token],
    ] as const) {
      const text = JSON.stringify(await ask(path, sent))
      for (const part of [...token.split('.').slice(1), opaque]) assert.ok(!text.includes(part), `${path}: ${text}`)
    }
  })

  it('tells nothing of APIs that whoever asks may not know of', async () => {
    const question = { method: 'GET', url: `${url}/todos`, token: bench.issuer.mint() }
    const explained = await bench.gateway.explain(question, ({ id }) => id !== api.id)
    assert.equal(explained.answer?.status, 404)
    assert.doesNotMatch(JSON.stringify(explained), /todos, |shop|issuer|127\.0\.0\.1/)
  })

  it('is refused for what is no request', async () => {
    await assert.rejects(bench.gateway.explain({ method: 'GET', url: '/todos' }), /must be absolute/)
    await assert.rejects(bench.gateway.explain({ method: 'GET', url, token: 'a\r\nx: y' }), /Invalid character/)
  })

  it('writes no access log and counts nothing', async () => {
    const before = bench.gateway.metrics()
    bench.logLines.length = 0
    await ask('/open/a')
    assert.equal(bench.gateway.metrics(), before)
    assert.equal(bench.logLines.length, 0)
  })
})
