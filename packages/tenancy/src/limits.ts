/** Public face of `@tenantry/tenancy/limits`: what a tenant may use, and what it has used. */
export {
  type Admission,
  createLimiter,
  type Limiter,
  type LimiterEvent,
  type LimiterOptions,
} from './limits/limiter.ts'
export { type PostgresLimitsOptions, postgresLimits } from './limits/postgres.ts'
export { type LimitRefusalCode, LimitRefused } from './limits/refusal.ts'
export type { LimitStore } from './limits/store.ts'
export { type LimitTablesOptions, limitTables } from './limits/tables.ts'
export type { Tier, Tiers } from './limits/tiers.ts'
export { countStatement, createUsageMeter, type UsageMeter, type UsageMeterOptions } from './limits/usage/meter.ts'
export {
  type IngestUsageEvent,
  ingestUsageEvents,
  readUsage,
  type Usage,
  type UsagePeriod,
  usageAsCsv,
  usageAsJsonLines,
} from './limits/usage/report.ts'
