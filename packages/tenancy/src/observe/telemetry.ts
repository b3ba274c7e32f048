/** The tenant in traces and metrics of OpenTelemetry. Nothing is imported from it but types. */
import type { Attributes, Meter, ObservableCounter, Span } from '@opentelemetry/api'
import type { TenantCounter } from './counters.ts'
import { tenantFields } from './logs.ts'

/** Of spans: `tenant.id`, and where they are known `tenant.organization_id` and `tenant.tier`. */
export function tenantAttributes(): Attributes {
  const { tenantId, organizationId, tier } = tenantFields()
  return {
    ...(tenantId === undefined ? {} : { 'tenant.id': tenantId }),
    ...(organizationId === undefined ? {} : { 'tenant.organization_id': organizationId }),
    ...(tier === undefined ? {} : { 'tenant.tier': tier }),
  }
}

/** The part of OpenTelemetry’s SpanProcessor that is there; its SDKs 1 to 3 take it. */
export interface TenantSpanProcessor {
  onStart(span: Pick<Span, 'setAttributes'>): void
  onEnd(): void
  forceFlush(): Promise<void>
  shutdown(): Promise<void>
}

/**
 * Gives every span that begins as somebody the tenant’s attributes. The span of a request begins before its caller is known:
 * call `markSpan` once it is.
 * @example
 * import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
 *
 * const provider = new TracerProvider({ spanProcessors: [tenantSpanProcessor(), new BatchSpanProcessor({ exporter })] })
 */
export const tenantSpanProcessor = (): TenantSpanProcessor => ({
  onStart: (span) => void span.setAttributes(tenantAttributes()),
  onEnd: () => {},
  forceFlush: async () => {},
  shutdown: async () => {},
})

/**
 * Gives a span that has begun already the attributes of the tenant for which this runs.
 * @example
 * tracer.startActiveSpan('GET /items', async (span) => {
 *   await withIdentity(await authenticate(request.headers), async () => markSpan(span))
 *   span.end()
 * })
 */
export function markSpan(span: Pick<Span, 'setAttributes'> | undefined): void {
  span?.setAttributes(tenantAttributes())
}

/**
 * Exports a counter per tenant through a meter of OpenTelemetry, with the attribute `tenant.id`.
 * @example
 * import { metrics } from '@opentelemetry/api'
 *
 * const requests = createTenantCounter()
 * observeTenants(metrics.getMeter('shop'), 'shop.requests', requests)
 * withIdentity(identity, () => requests.add())
 */
export function observeTenants(meter: Meter, name: string, counter: TenantCounter): ObservableCounter {
  const observed = meter.createObservableCounter(name)
  observed.addCallback((result) => {
    for (const { tenant, value } of counter.series()) result.observe(value, { 'tenant.id': tenant })
  })
  return observed
}
