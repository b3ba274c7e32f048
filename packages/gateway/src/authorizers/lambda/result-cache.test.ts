import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { allow, arnPrefix, deny, functionArn, type LambdaBench, policyOf, startLambdaBench } from './fixture.ts'

describe('what a Lambda authorizer has answered', () => {
  let bench: LambdaBench
  before(async () => {
    bench = await startLambdaBench()
  })
  after(() => bench.close())

  const status = async (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<number> =>
    (await bench.send({ path, method, headers: { authorization: 'key-77', ...headers } })).status
  const asked = (): number => bench.functions.invocations.length
  const warnings = (): unknown[] => bench.logLines.filter(({ level }) => level === 40).map(({ msg }) => msg)

  it('is asked for anew each time without a TTL', async () => {
    bench.decide({}, () => ({ isAuthorized: true }))
    assert.deepEqual([await status('/live/invoices'), await status('/live/invoices')], [200, 200])
    assert.equal(asked(), 2)
  })

  it('holds for its TTL and not longer, a refusal too', async () => {
    bench.clock.freeze()
    let isAuthorized = false
    bench.decide({ resultTtlSeconds: 300 }, () => ({ isAuthorized }))
    assert.equal(await status('/live/invoices'), 403)
    isAuthorized = true
    bench.clock.advance(299)
    assert.equal(await status('/live/invoices'), 403)
    assert.equal(asked(), 1)
    bench.clock.advance(2)
    assert.equal(await status('/live/invoices'), 200)
    assert.equal(asked(), 2)
  })

  it('N206 is kept under the identity sources one by one, and under nothing else', async () => {
    const sources = ['$request.header.x-a', '$request.header.x-b']
    bench.decide({ identitySource: sources, resultTtlSeconds: 60 }, ({ headers }) => ({
      isAuthorized: headers['x-a'] === 'a,b' && headers['x-b'] === 'c',
    }))
    assert.equal(await status('/live/invoices', { 'x-a': 'a,b', 'x-b': 'c' }), 200)
    assert.equal(await status('/live/invoices', { 'x-a': 'a', 'x-b': 'b,c' }), 403)
    assert.equal(await status('/live/invoices', { 'x-a': 'a', 'x-b': 'b,c', 'x-c': 'other' }), 403)
    assert.equal(asked(), 2)
  })

  it('N206 holds for all routes alike when it is simple, which is warned of', async () => {
    const simple = { resultTtlSeconds: 61 }
    bench.decide(simple, ({ routeKey }) => ({ isAuthorized: routeKey === 'GET /invoices' }))
    assert.equal(await status('/live/invoices'), 200)
    assert.equal(await status('/live/invoices', {}, 'POST'), 200)
    assert.equal(asked(), 1)
    const told = warnings()
    assert.equal(told.length, 2)
    assert.match(String(told[0]), /"decider" keeps a simple answer for 61 s, .*"GET \/invoices", "POST \/invoices"/)
    assert.match(String(told[1]), /every path of "GET \/tenants\/\{tenant\}\/invoices", "ANY \/files\/\{rest\+\}"/)
    bench.decide(simple, () => ({ isAuthorized: true }))
    assert.deepEqual(warnings(), [], 'what was told once is not told at each change')
  })

  it('N206 is kept for each route when the route is one of the sources', async () => {
    const identitySource = ['$request.header.authorization', '$context.routeKey']
    bench.decide({ resultTtlSeconds: 62, identitySource }, ({ routeKey }) => ({
      isAuthorized: routeKey === 'GET /invoices',
    }))
    assert.equal(await status('/live/invoices'), 200)
    assert.equal(await status('/live/invoices', {}, 'POST'), 403)
    assert.equal(asked(), 2)
    assert.equal(warnings().length, 1)
    const exact = [...identitySource, '$context.path', '$context.httpMethod']
    bench.decide({ resultTtlSeconds: 60, identitySource: exact }, () => ({ isAuthorized: true }))
    assert.deepEqual(warnings(), [])
  })

  it('N206 is a policy that is asked again for each request', async () => {
    const answer = policyOf(allow(`${arnPrefix}/GET/*`), deny(`${arnPrefix}/GET/tenants/evil/*`))
    for (const payloadFormatVersion of ['1.0', '2.0'] as const) {
      const config = {
        resultTtlSeconds: 60,
        payloadFormatVersion,
        enableSimpleResponses: payloadFormatVersion === '1.0',
      }
      bench.decide(config, () => answer)
      assert.equal(await status('/live/invoices'), 200)
      assert.equal(await status('/live/invoices', {}, 'POST'), 403)
      assert.equal(await status('/live/tenants/acme/invoices'), 200)
      assert.equal(await status('/live/tenants/evil/invoices'), 403)
      assert.equal(asked(), 1)
      assert.deepEqual(warnings(), [])
    }
  })

  it('is asked for once by many requests at a time, each of which gets it', async () => {
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    bench.decide({ resultTtlSeconds: 60 }, async () => {
      await released
      return { isAuthorized: true }
    })
    const under = Array.from({ length: 20 }, () => status('/live/invoices'))
    while (asked() === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    release()
    assert.ok((await Promise.all(under)).every((found) => found === 200))
    assert.equal(asked(), 1)
  })

  it('is not kept when it is no answer', async () => {
    let answer: unknown = { isAuthorized: 'yes' }
    bench.decide({ resultTtlSeconds: 60 }, () => answer)
    assert.equal(await status('/live/invoices'), 500)
    answer = { isAuthorized: true }
    assert.equal(await status('/live/invoices'), 200)
  })

  it('is forgotten at a reset, also what is being asked at that moment', async () => {
    let isAuthorized = true
    let release = (): void => undefined
    bench.decide({ resultTtlSeconds: 3_600 }, async () => {
      const decided = isAuthorized
      if (asked() === 2) {
        await new Promise<void>((resolve) => {
          release = resolve
        })
      }
      return { isAuthorized: decided }
    })
    assert.equal(await status('/live/invoices'), 200)
    bench.gateway.resetAuthorizers('tnapi00001', 'other')
    bench.gateway.resetAuthorizers('other', 'live')
    assert.equal(await status('/live/invoices'), 200)
    assert.equal(asked(), 1)
    bench.gateway.resetAuthorizers('tnapi00001', 'live')
    const late = status('/live/invoices')
    while (asked() < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    isAuthorized = false
    bench.gateway.resetAuthorizers('tnapi00001', 'live')
    release()
    assert.equal(await late, 200)
    assert.equal(await status('/live/invoices'), 403)
  })

  it('is not taken for the answer of another function that a stage variable chose', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a stage variable
    const named = { functionArn: functionArn.replace('decide', '${stageVariables.name}'), resultTtlSeconds: 60 }
    const stage = (name: string) => (api: Parameters<NonNullable<Parameters<LambdaBench['decide']>[2]>>[0]) => ({
      ...api,
      stage: { ...api.stage, variables: { name } },
    })
    bench.functions.handlers.set(functionArn.replace('decide', 'strict'), () => ({ isAuthorized: false }))
    bench.decide(named, () => ({ isAuthorized: true }), stage('decide'))
    assert.equal(await status('/live/invoices'), 200)
    bench.decide(named, () => ({ isAuthorized: true }), stage('strict'))
    assert.equal(await status('/live/invoices'), 403)
  })

  it('takes no more memory than it is given', async () => {
    bench.decide({ resultTtlSeconds: 3_600 }, () => ({ isAuthorized: true, context: { pad: 'x'.repeat(1_000_000) } }))
    for (let i = 0; i < 8; i++) assert.equal(await status('/live/invoices', { authorization: `key-${i}` }), 200)
    assert.equal(await status('/live/invoices', { authorization: 'key-7' }), 200)
    assert.equal(asked(), 8)
    assert.equal(await status('/live/invoices', { authorization: 'key-0' }), 200)
    assert.equal(asked(), 9, 'the oldest had to go')
  })
})
