/** Public face of `@tenantry/tenancy/observe`: the tenant in logs, metrics and traces. */
export {
  createTenantCounter,
  type TenantCounter,
  type TenantCounterOptions,
  type TenantSeries,
} from './observe/counters.ts'
export { type TenantFields, tenantFields, tenantLogging } from './observe/logs.ts'
export {
  markSpan,
  observeTenants,
  type TenantSpanProcessor,
  tenantAttributes,
  tenantSpanProcessor,
} from './observe/telemetry.ts'
