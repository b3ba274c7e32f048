/**
 * Amazon's metrics of an HTTP API (`Count`, `4xx`, `5xx`, `Latency`, `IntegrationLatency`, `DataProcessed`), as
 * Prometheus reads them. Series are by API and stage, and by route where a stage asks for detailed metrics: as many as
 * the configuration names, never one per tenant, caller or path.
 *
 * Written by hand, because a metrics library finds the series of each observation by its labels, six times a request.
 * Here a stage holds its own series, and counting is an addition.
 */
import type { Api } from '../api.ts'
import type { Exchange } from '../exchange.ts'

/** What one API's stage, or one of its routes, has counted. */
export interface Series {
  readonly labels: string
  requests: number
  clientErrors: number
  serverErrors: number
  bytes: number
  readonly latency: Histogram
  readonly integrationLatency: Histogram
}

interface Histogram {
  /** By upper bound, not cumulated; the last one has none. */
  readonly counts: number[]
  /** Milliseconds. */
  sum: number
}

/** Counters of one deployment. */
export interface StageMetrics {
  readonly stage: Series
  /** By route key. */
  readonly routes: ReadonlyMap<string, Series>
}

const boundsMs = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000]

const createHistogram = (): Histogram => ({ counts: new Array(boundsMs.length + 1).fill(0), sum: 0 })

export const createSeries = (labels: Readonly<Record<string, string>>): Series => ({
  labels: Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(','),
  requests: 0,
  clientErrors: 0,
  serverErrors: 0,
  bytes: 0,
  latency: createHistogram(),
  integrationLatency: createHistogram(),
})

/** @param seriesOf the series with these labels; the same one for as long as a configuration asks for it */
export function compileMetrics(
  { id, stage, routes }: Api,
  seriesOf: (labels: Readonly<Record<string, string>>) => Series,
): StageMetrics {
  const { detailedMetrics } = stage
  const isDetailed = (key: string): boolean => {
    if (detailedMetrics === undefined) return false
    return Object.hasOwn(detailedMetrics.routes, key) ? detailedMetrics.routes[key]! : detailedMetrics.stage
  }
  const labels = { api: id, stage: stage.name }
  const detailed = routes.map(({ key }) => key).filter(isDetailed)
  return {
    stage: seriesOf(labels),
    routes: new Map(detailed.map((key) => [key, seriesOf({ ...labels, route: key })])),
  }
}

/** Counts an answered request where it belongs. */
export function countRequest({ stage, routes }: StageMetrics, exchange: Exchange): void {
  add(stage, exchange)
  if (routes.size === 0 || exchange.route === null) return
  const series = routes.get(exchange.route.key)
  if (series !== undefined) add(series, exchange)
}

export function add(series: Series, exchange: Exchange): void {
  const { status, bytes, receivedBytes, receivedAt, endedAt, integration } = exchange
  series.requests++
  if (status >= 500) series.serverErrors++
  else if (status >= 400) series.clientErrors++
  series.bytes += bytes + receivedBytes
  observe(series.latency, Math.max(0, endedAt - receivedAt))
  if (integration.latency >= 0) observe(series.integrationLatency, integration.latency)
}

function observe(histogram: Histogram, ms: number): void {
  let at = 0
  while (at < boundsMs.length && ms > boundsMs[at]!) at++
  histogram.counts[at]!++
  histogram.sum += ms
}

/** The Prometheus text format, version 0.0.4. */
export function writeMetrics(unmatched: Series, all: Iterable<Series>): string {
  const stages: Series[] = [unmatched]
  const routes: Series[] = []
  for (const series of all) (series.labels.includes(',route="') ? routes : stages).push(series)
  return [...family('tenantry_gateway', stages), ...family('tenantry_gateway_route', routes)].join('')
}

function family(prefix: string, series: readonly Series[]): string[] {
  if (series.length === 0) return []
  const counter = (name: string, help: string, value: (of: Series) => number): string[] => [
    `# HELP ${prefix}_${name} ${help}\n# TYPE ${prefix}_${name} counter\n`,
    ...series.map((of) => `${prefix}_${name}{${of.labels}} ${value(of)}\n`),
  ]
  const histogram = (name: string, help: string, value: (of: Series) => Histogram): string[] => [
    `# HELP ${prefix}_${name} ${help}\n# TYPE ${prefix}_${name} histogram\n`,
    ...series.map((of) => writeHistogram(`${prefix}_${name}`, of.labels, value(of))),
  ]
  return [
    ...counter('requests_total', 'Requests answered.', ({ requests }) => requests),
    ...counter('client_errors_total', 'Requests answered with 4xx.', ({ clientErrors }) => clientErrors),
    ...counter('server_errors_total', 'Requests answered with 5xx.', ({ serverErrors }) => serverErrors),
    ...counter('data_processed_bytes_total', 'Bytes of bodies received and sent.', ({ bytes }) => bytes),
    ...histogram('latency_seconds', 'From a request to the end of its answer.', ({ latency }) => latency),
    ...histogram(
      'integration_latency_seconds',
      'From the integration’s request to its answer’s head.',
      ({ integrationLatency }) => integrationLatency,
    ),
  ]
}

function writeHistogram(name: string, labels: string, { counts, sum }: Histogram): string {
  let total = 0
  let text = ''
  for (const [index, count] of counts.entries()) {
    total += count
    const bound = index < boundsMs.length ? String(boundsMs[index]! / 1000) : '+Inf'
    text += `${name}_bucket{${labels},le="${bound}"} ${total}\n`
  }
  return `${text}${name}_sum{${labels}} ${sum / 1000}\n${name}_count{${labels}} ${total}\n`
}

const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
