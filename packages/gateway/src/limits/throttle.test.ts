import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { logToLines } from '../access-log/access-log.ts'
import { answers } from '../answers.ts'
import type { Api, Stage, TenantLimits } from '../api.ts'
import type { Exchange } from '../exchange.ts'
import { type Bench, type Received, replaceOrThrow, startBench } from '../test-gateway.ts'
import { createBucket } from './bucket.ts'
import { createShelf } from './shelf.ts'

const tooMany = '{"message":"Too Many Requests"}'

describe('throttling', () => {
  let bench: Bench
  let api: Api
  before(async () => {
    bench = await startBench()
    bench.clock.freeze()
    api = (await bench.load(bench.document)).api
  })
  after(() => bench.close())
  afterEach(() => {
    bench.clock.advance(10_000)
    bench.upstream.seen.length = 0
  })

  let generation = 0
  // Buckets outlive a change of configuration, so each test takes an API of its own.
  const use = (stage: Partial<Stage>, tenantLimits?: TenantLimits): Api => {
    const used: Api = {
      ...api,
      id: `shop${++generation}`,
      stage: { ...api.stage, ...stage },
      ...(tenantLimits === undefined ? {} : { tenantLimits }),
    }
    replaceOrThrow(bench.gateway, [used])
    return used
  }
  const statuses = async (count: number, path: string, token?: string): Promise<number[]> => {
    const found: number[] = []
    for (let i = 0; i < count; i++) found.push((await bench.send({ path, ...(token ? { token } : {}) })).status)
    return found
  }

  it('answers what a stage’s bucket has no token for with 429, and fills the bucket at its rate', async () => {
    use({ throttling: { rateLimit: 0.5, burstLimit: 2 } })
    assert.deepEqual(await statuses(3, '/open/a'), [200, 200, 429])
    const refused = await bench.send({ path: '/open/b' })
    assert.equal(refused.status, 429)
    assert.equal(refused.body, tooMany)
    assert.equal(refused.headers['content-type'], 'application/json')
    assert.equal(refused.headers['retry-after'], undefined)
    assert.match(refused.headers['apigw-requestid'] as string, /^[\w-]{15}=$/)
    assert.equal(bench.upstream.seen.length, 2)
    bench.clock.advance(2)
    assert.deepEqual(await statuses(2, '/open/a'), [200, 429])
    bench.clock.advance(3_600)
    assert.deepEqual(await statuses(3, '/open/a'), [200, 200, 429])
  })

  it('gives a route with settings of its own a bucket of its own, and takes what is missing from the stage', async () => {
    use({
      throttling: { rateLimit: 0.01, burstLimit: 2 },
      routeThrottling: { 'ANY /open/{proxy+}': { rateLimit: null, burstLimit: 1 } },
    })
    assert.deepEqual(await statuses(2, '/open/a'), [200, 429])
    assert.deepEqual(await statuses(3, '/elsewhere'), [200, 200, 429])
    bench.clock.advance(100)
    assert.deepEqual(await statuses(2, '/open/a'), [200, 429])
  })

  it('closes a stage with a rate and a burst of 0', async () => {
    use({ throttling: { rateLimit: 0, burstLimit: 0 } })
    assert.deepEqual(await statuses(2, '/open/a'), [429, 429])
    assert.equal(bench.upstream.seen.length, 0)
  })

  it('keeps what a bucket holds through a change of configuration', async () => {
    const used = use({ throttling: { rateLimit: 0.001, burstLimit: 2 } })
    assert.deepEqual(await statuses(3, '/open/a'), [200, 200, 429])
    bench.gateway.replace([
      { ...used, description: 'changed', stage: { ...used.stage, throttling: { rateLimit: 0.001, burstLimit: 3 } } },
    ])
    assert.deepEqual(await statuses(1, '/open/a'), [429])
  })

  it('limits an account over all of its APIs', async () => {
    const own = await startBench(undefined, { accountThrottling: { rateLimit: 0.001, burstLimit: 2 } })
    try {
      const { api: first } = await own.load(own.document)
      const at = (id: string): Api => ({
        ...first,
        id,
        endpoints: [{ host: `${id}.test`, basePath: '', kind: 'mapping' }],
      })
      own.gateway.replace([at('one'), at('two')])
      const send = async (id: string) => (await own.send({ path: '/open/a', headers: { host: `${id}.test` } })).status
      assert.deepEqual(
        [await send('one'), await send('two'), await send('one'), await send('two')],
        [200, 200, 429, 429],
      )
    } finally {
      await own.close()
    }
  })

  it('refuses settings that are none, and warns of those for a route that does not exist', () => {
    assert.throws(() => use({ throttling: { rateLimit: -1, burstLimit: 1 } }), /a rate is 0 or more/)
    assert.throws(() => use({ throttling: { rateLimit: 1, burstLimit: 1.5 } }), /a burst a whole number/)
    bench.logLines.length = 0
    use({ routeThrottling: { 'GET /nowhere': { rateLimit: 1, burstLimit: 1 } } })
    assert.equal(bench.logLines[0]?.msg, 'the stage has settings for the route "GET /nowhere", which does not exist')
  })

  it('logs at most a hundred of a flood’s refusals at once', () => {
    let logged = 0
    const log = logToLines({ write: () => void logged++, close: async () => undefined })
    const refused = {
      deployment: { accessLog: { line: () => '' } },
      refusal: answers.throttled,
      receivedAt: 1,
    } as unknown as Exchange
    for (let i = 0; i < 150; i++) log.write(refused)
    assert.equal(logged, 100)
    for (let i = 0; i < 150; i++) log.write({ ...refused, refusal: answers.noRoute })
    assert.equal(logged, 250)
  })

  describe('per tenant', () => {
    const limits: TenantLimits = {
      tenant: { from: 'claim', name: 'org_id' },
      plan: { from: 'claim', name: 'plan' },
      plans: { free: { perSecond: 0.1, burst: 2 }, pro: { perSecond: 10, burst: 5 } },
      tenants: { org_big: 'pro' },
      defaultPlan: 'free',
    }
    const as = (claims: Record<string, unknown>): string => bench.issuer.mint({ scope: 'read:todos', ...claims })

    it('N211 gives each tenant a bucket, whichever of its tokens is used, and leaves the others’ alone', async () => {
      use({}, limits)
      const [first, second] = [as({ org_id: 'org_a', sub: 'x' }), as({ org_id: 'org_a', sub: 'y' })]
      assert.deepEqual(await statuses(1, '/todos', first), [200])
      assert.deepEqual(await statuses(2, '/pets/1', second), [200, 429])
      const refused: Received = await bench.send({ path: '/todos', token: first })
      assert.deepEqual([refused.status, refused.body], [429, tooMany])
      assert.equal(refused.headers['retry-after'], '10')
      assert.equal(refused.headers['ratelimit-policy'], '"tenant";q=2;w=20')
      assert.equal(refused.headers.ratelimit, '"tenant";r=0;t=10')
      assert.deepEqual(await statuses(2, '/todos', as({ org_id: 'org_b' })), [200, 200])
    })

    it('takes the plan from the table, else from the token, else the default', async () => {
      use({}, limits)
      assert.deepEqual(
        await statuses(6, '/todos', as({ org_id: 'org_big', plan: 'free' })),
        [200, 200, 200, 200, 200, 429],
      )
      assert.deepEqual(
        await statuses(6, '/todos', as({ org_id: 'org_c', plan: 'pro' })),
        [200, 200, 200, 200, 200, 429],
      )
      assert.deepEqual(await statuses(3, '/todos', as({ org_id: 'org_d', plan: 'toString' })), [200, 200, 429])
    })

    it('N211 reads the tenant from nothing but the verified token', async () => {
      use({}, limits)
      const token = as({ org_id: 'org_e' })
      const headers = { 'x-org-id': 'org_f', org_id: 'org_f', authorization: `Bearer ${token}` }
      for (const status of [200, 200, 429]) {
        assert.equal((await bench.send({ path: '/todos?org_id=org_f', headers })).status, status)
      }
      assert.deepEqual(await statuses(2, '/todos', as({ org_id: 'org_f' })), [200, 200])
    })

    it('N211 lets nobody without a valid token empty a tenant’s bucket', async () => {
      use({}, limits)
      const [head, body] = as({ org_id: 'org_g' }).split('.')
      const forged = `${head}.${body}.${as({ org_id: 'org_other' }).split('.')[2]}`
      assert.deepEqual(await statuses(5, '/todos', forged), [401, 401, 401, 401, 401])
      assert.deepEqual(await statuses(5, '/todos', as({ org_id: 'org_g', scope: 'none' })), [403, 403, 403, 403, 403])
      assert.deepEqual(await statuses(3, '/todos', as({ org_id: 'org_g' })), [200, 200, 429])
    })

    it('puts callers of no tenant into one bucket, and leaves open routes alone', async () => {
      use({}, limits)
      assert.deepEqual(await statuses(1, '/todos', as({ sub: 'x' })), [200])
      assert.deepEqual(await statuses(1, '/todos', as({ sub: 'y', org_id: ['org_a'] })), [200])
      assert.deepEqual(await statuses(1, '/todos', as({ sub: 'z', org_id: '' })), [429])
      assert.deepEqual(await statuses(3, '/open/a'), [200, 200, 200])
    })

    it('takes nothing from the stage’s bucket for what a tenant is refused', async () => {
      use({ throttling: { rateLimit: 0.001, burstLimit: 4 } }, limits)
      assert.deepEqual(await statuses(8, '/todos', as({ org_id: 'org_h' })), [200, 200, 429, 429, 429, 429, 429, 429])
      assert.deepEqual(await statuses(3, '/todos', as({ org_id: 'org_i' })), [200, 200, 429])
    })

    it('is refused in strict mode, as an extension', async () => {
      const strict = await startBench(undefined, { strict: true })
      try {
        const { api: plain } = await strict.load(strict.document)
        assert.throws(
          () => replaceOrThrow(strict.gateway, [{ ...plain, tenantLimits: limits }]),
          /this gateway is strict: remove "tenantLimits"/,
        )
      } finally {
        await strict.close()
      }
    })

    it('is read from x-tenantry-limits at the root of a definition', async () => {
      const extension = `
x-tenantry-limits:
  tenant: { claim: org_id }
  plan: { claim: plan }
  plans: { free: { perSecond: 0.1, burst: 2 }, pro: { perSecond: 10, burst: 5 } }
  tenants: { org_big: pro }
  defaultPlan: free
`
      assert.deepEqual((await bench.load(bench.document + extension)).api.tenantLimits, limits)
      const refusals: [string, string, RegExp][] = [
        ['defaultPlan: free', 'defaultPlan: gold', /the plan "gold" is not defined/],
        ['tenant: { claim: org_id }', 'tenant: { header: x-org }', /"header" is not known here/],
        ['perSecond: 0.1', 'perSecond: -1', /must be a number, 0 or more/],
        ['burst: 2', 'burst: 2.5', /must be a whole number/],
      ]
      for (const [from, to, expected] of refusals) {
        await assert.rejects(bench.load(bench.document + extension.replace(from, to)), expected)
      }
    })
  })
})

describe('buckets by name', () => {
  const rate = { perSecond: 1, burst: 2 }

  it('forgets full ones alone, so that calling under other names never refills an emptied one', () => {
    const shelf = createShelf(3, createBucket)
    const take = (name: string, now: number): number => shelf.at(name, now).take(rate, now)
    assert.deepEqual([take('victim', 0), take('victim', 0)], [0, 0])
    for (let i = 0; i < 50; i++) take(`other${i}`, 0)
    assert.equal(take('victim', 0), 1_000)
    assert.equal(take('victim', 1_000), 0)
    assert.equal(take('victim', 1_000), 1_000)
  })

  it('lets newcomers share one bucket while there is no room, and gives them their own when there is', () => {
    const shelf = createShelf(2, createBucket)
    const take = (name: string, now: number): number => shelf.at(name, now).take(rate, now)
    take('a', 0)
    take('b', 0)
    assert.deepEqual([take('c', 0), take('d', 0), take('e', 0)], [0, 0, 1_000])
    assert.deepEqual([take('c', 9_000), take('c', 9_000), take('c', 9_000)], [0, 0, 1_000])
  })

  it('takes nothing away when the clock is set back', () => {
    const bucket = createBucket()
    assert.deepEqual([bucket.take(rate, 10_000), bucket.take(rate, 5_000), bucket.take(rate, 5_000)], [0, 0, 1_000])
  })
})
