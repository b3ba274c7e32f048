/**
 * The caller's own tenant, for its administrators: what it is and holds, its plan, its exports and its end. No path, query or body
 * says which tenant: the token does.
 */
import type { TenantDatabase } from '@tenantry/tenancy'
import type { FastifyInstance } from 'fastify'
import { type ClosingDependencies, closingRoute } from './closing.ts'
import { exportRoutes } from './exports.ts'
import { overviewRoutes } from './overview.ts'
import { type PlanDependencies, planRoute } from './plan.ts'

export interface SettingsDependencies extends PlanDependencies, ClosingDependencies {
  /** Where exports are. */
  exports: TenantDatabase
  /** How long they can be had. */
  exportDays: number
}

export function settingsRoutes(app: FastifyInstance, dependencies: SettingsDependencies): void {
  overviewRoutes(app, dependencies)
  planRoute(app, dependencies)
  exportRoutes(app, dependencies)
  closingRoute(app, dependencies)
}
