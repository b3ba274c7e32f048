import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { pino } from 'pino'
import { Counter, Registry } from 'prom-client'
import { withIdentity } from '../identity/context.ts'
import { backgroundIdentity, type SaasIdentity } from '../identity/saas-identity.ts'
import { createTenantCounter, type TenantCounter } from './counters.ts'
import { tenantFields, tenantLogging } from './logs.ts'
import { markSpan, observeTenants, tenantSpanProcessor } from './telemetry.ts'

const of = (tenantId: string): SaasIdentity => ({
  ...backgroundIdentity({ tenantId, reason: 'web', tier: 'basic' }),
  subject: 'ann@example.com',
  organizationId: 'org_1',
})
const as = <T>(tenantId: string, work: () => T): T => withIdentity(of(tenantId), work)

test('every line of pino’s log says whose it is, also of child loggers, and a line cannot say it is another’s', () => {
  const lines: Record<string, unknown>[] = []
  const stream = new Writable({
    write: (chunk, _, done) => {
      lines.push(JSON.parse(String(chunk)) as Record<string, unknown>)
      done()
    },
  })
  const logger = pino({ ...tenantLogging, base: null, timestamp: false }, stream)
  as('t1', () => {
    logger.info('one')
    logger.child({ tenantId: 'forged', part: 'x' }).info({ tenantId: 't2' }, 'two')
  })
  logger.info({ tenantId: 't3' }, 'of nobody')
  const own = { level: 30, tenantId: 't1', organizationId: 'org_1', tier: 'basic', clientId: 'web' }
  assert.deepEqual(lines, [
    { ...own, msg: 'one' },
    { ...own, part: 'x', msg: 'two' },
    { level: 30, tenantId: 't3', msg: 'of nobody' },
  ])
})

test('N191 neither tokens nor cookies nor the subject stand in the log', () => {
  let text = ''
  const stream = new Writable({
    write: (chunk, _, done) => {
      text += String(chunk)
      done()
    },
  })
  const logger = pino(tenantLogging, stream)
  const headers = {
    ...{ authorization: 'Bearer marked-token', cookie: 'marked-cookie', 'x-api-key': 'marked-key', accept: 'kept' },
    ...{ 'set-cookie': ['marked-set'], 'proxy-authorization': 'marked-proxy' },
  }
  as('t1', () => {
    for (const line of [headers, { headers }, { req: { headers } }, { request: { headers } }, { res: { headers } }]) {
      logger.info(line, 'a request')
    }
  })
  assert.doesNotMatch(text, /marked|ann@example\.com/)
  assert.equal(text.match(/"accept":"kept"/g)?.length, 5)
  assert.deepEqual(tenantFields(), {})
})

const total = (counter: TenantCounter) => counter.series().reduce((sum, { value }) => sum + value, 0)

test('a counter has at most `most` tenants, ten thousand of them notwithstanding, and loses nothing', () => {
  let now = 0
  const counter = createTenantCounter({ top: 3, most: 5, reviewMilliseconds: 1_000, now: () => now })
  let counted = 0
  const before = new Map<string, number>()
  for (let round = 0; round < 20; round++) {
    for (let n = 0; n < 10_000; n++) as(`tenant-${n}`, () => counter.add())
    // Each time others are the busiest.
    for (const busy of [`big-${round}`, `huge-${round}`]) as(busy, () => counter.add(500))
    counter.add()
    counted += 10_000 + 1_000 + 1
    now += 1_000
    // The first three, `_other` and `_none`, and then the two busiest of the first round, among ten thousand.
    assert.equal(counter.series().length, round === 0 ? 5 : 7)
    assert.equal(total(counter), counted)
    for (const [tenant, value] of before) {
      const same = counter.series().find((series) => series.tenant === tenant)
      assert.ok(same && same.value >= value, `${tenant} went down`)
    }
    for (const { tenant, value } of counter.series()) before.set(tenant, value)
  }
  assert.equal(counter.series().find(({ tenant }) => tenant === '_none')?.value, 20)
  assert.deepEqual(
    counter
      .series()
      .map(({ tenant }) => tenant)
      .sort(),
    ['_none', '_other', 'big-0', 'huge-0', 'tenant-0', 'tenant-1', 'tenant-2'],
  )
})

test('a tenant that comes late and is busy gets a place, and one that is not does not', () => {
  let now = 0
  const counter = createTenantCounter({ top: 2, most: 4, reviewMilliseconds: 1_000, now: () => now })
  const add = (tenantId: string, amount: number) => as(tenantId, () => counter.add(amount))
  add('a', 10)
  add('b', 10)
  add('c', 100)
  add('d', 15)
  assert.deepEqual(
    counter.series().map(({ tenant }) => tenant),
    ['a', 'b', '_other', '_none'],
  )
  now += 1_000
  add('c', 1)
  add('d', 15)
  assert.deepEqual(counter.series(), [
    { tenant: 'a', value: 10 },
    { tenant: 'b', value: 10 },
    { tenant: 'c', value: 1 },
    { tenant: '_other', value: 130 },
    { tenant: '_none', value: 0 },
  ])
  assert.throws(() => counter.add(-1), /only goes up/)
})

test('OpenTelemetry exports the counter with the tenant as an attribute, and nothing moves from one series to another', async () => {
  let now = 0
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  const counter = createTenantCounter({ top: 1, most: 2, reviewMilliseconds: 1_000, now: () => now })
  observeTenants(provider.getMeter('test'), 'shop.requests', counter)
  const exported = async () => {
    exporter.reset()
    await reader.forceFlush()
    const [metric] = exporter.getMetrics()[0]!.scopeMetrics[0]!.metrics
    return Object.fromEntries(metric!.dataPoints.map(({ attributes, value }) => [attributes['tenant.id'], value]))
  }
  as('a', () => counter.add(3))
  as('b', () => counter.add(9))
  assert.deepEqual(await exported(), { a: 3, _other: 9, _none: 0 })
  now += 1_000
  as('b', () => counter.add(1))
  assert.deepEqual(await exported(), { a: 3, b: 1, _other: 9, _none: 0 })
  await provider.shutdown()
})

test('prom-client shows the counter’s series and no others', async () => {
  const counter = createTenantCounter({ top: 1 })
  const registry = new Registry()
  new Counter({
    ...{ name: 'shop_requests_total', help: 'Requests by tenant.', labelNames: ['tenant'], registers: [registry] },
    collect() {
      this.reset()
      for (const { tenant, value } of counter.series()) this.inc({ tenant }, value)
    },
  })
  as('a', () => counter.add(2))
  as('b', () => counter.add(1))
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('shop'))
  assert.deepEqual(lines, [
    'shop_requests_total{tenant="a"} 2',
    'shop_requests_total{tenant="_other"} 1',
    'shop_requests_total{tenant="_none"} 0',
  ])
})

test('OpenTelemetry’s spans that begin as somebody carry the tenant; one that began before is marked', async () => {
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({
    spanProcessors: [tenantSpanProcessor(), new SimpleSpanProcessor({ exporter })],
  })
  const tracer = provider.getTracer('test')
  const [request, job] = [tracer.startSpan('request'), tracer.startSpan('job')]
  as('t1', () => {
    markSpan(request)
    tracer.startSpan('query').end()
  })
  as('t2', () => tracer.startSpan('query').end())
  request.end()
  job.end()
  markSpan(undefined)
  await provider.forceFlush()
  const spans = exporter.getFinishedSpans().map(({ name, attributes }) => [name, attributes])
  const of = (tenantId: string) => ({
    'tenant.id': tenantId,
    'tenant.organization_id': 'org_1',
    'tenant.tier': 'basic',
  })
  assert.deepEqual(spans, [
    ['query', of('t1')],
    ['query', of('t2')],
    ['request', of('t1')],
    ['job', {}],
  ])
  await provider.shutdown()
})
