/** Logs, spans and metrics, and where they come out. */
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { metrics } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { withIdentity } from '@tenantry/tenancy'
import { setup } from './setup.ts'

async function tenantOfSpan(exporter: InMemorySpanExporter): Promise<unknown> {
  for (let tries = 0; exporter.getFinishedSpans().length === 0 && tries < 12_000; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return exporter.getFinishedSpans()[0]?.attributes['tenant.id']
}

export const observationSetups = {
  'tenancy/observe tenantLogging': setup({
    given: () => ({ destination: new PassThrough() }),
    verify({ destination, tenantId }) {
      const line = JSON.parse(String(destination.read()))
      assert.deepEqual([line.tenantId, line.msg], [tenantId, 'Stock was counted.'])
    },
  }),
  'tenancy/observe tenantSpanProcessor': setup({
    given: () => ({ exporter: new InMemorySpanExporter() }),
    async verify({ exporter, identity, tenantId }, { provider }) {
      withIdentity(identity, () => provider.getTracer('shop').startSpan('count').end())
      await provider.forceFlush()
      assert.equal(await tenantOfSpan(exporter), tenantId)
    },
  }),
  'tenancy/observe markSpan': setup({
    given() {
      const exporter = new InMemorySpanExporter()
      const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
      return { exporter, tracer: provider.getTracer('shop') }
    },
    verify: async ({ exporter, tenantId }) => assert.equal(await tenantOfSpan(exporter), tenantId),
  }),
  'tenancy/observe observeTenants': setup({
    given() {
      const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
      const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
      metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
      return { exporter, reader }
    },
    async verify({ exporter, reader, tenantId }) {
      await reader.forceFlush()
      const [metric] = exporter.getMetrics()[0]!.scopeMetrics[0]!.metrics
      assert.equal(metric?.descriptor.name, 'shop.requests')
      const [point] = metric.dataPoints
      assert.deepEqual([point?.attributes, point?.value], [{ 'tenant.id': tenantId }, 1])
    },
  }),
}
