export { currentIdentity, IdentityMissing, identityIfAny, withIdentity, withoutIdentity } from './identity/context.ts'
export {
  backgroundIdentity,
  type IssuerIdentity,
  requireScope,
  type SaasIdentity,
  type SaasIdentityOptions,
  saasIdentity,
  TENANT_ID,
} from './identity/saas-identity.ts'
export { clearDepartures, clearExports } from './lifecycle/clearing.ts'
export type { EventName, EventSource, LifecycleEvent } from './lifecycle/events.ts'
export { directorySink, type ExportManifest, type ExportSink, exportTenant } from './lifecycle/export.ts'
export type { OffboardingRecord, PlaceSums } from './lifecycle/off-boarding.ts'
export { type DispatchOptions, dispatchEvents, emit, type NewEvent, startDispatcher } from './lifecycle/outbox.ts'
export { type LifecycleRefusalCode, LifecycleRefused, NotYet, StepRefused } from './lifecycle/refusal.ts'
export {
  createLifecycle,
  type Failure,
  type Lifecycle,
  type LifecycleOptions,
  type PastSaga,
  type Saga,
  type SagaDefinition,
  type SagaState,
  type StartRequest,
  type Step,
  type StepContext,
} from './lifecycle/saga.ts'
export { lifecycleTables, migrateLifecycle } from './lifecycle/tables.ts'
export { newTenantId } from './lifecycle/tenant-id.ts'
export {
  findTenant,
  type IdentityPlane,
  type Tenant,
  type TenantLifeOptions,
  type TenantState,
  tenantSagas,
} from './lifecycle/tenant-life.ts'
export { type MovableOptions, makeMovable } from './placement/movable.ts'
export { type MoveOptions, type MoveReport, moveTenant } from './placement/move.ts'
export { type ControlOptions, clearDeparted, deleteRows, type OwnerOptions } from './placement/owner.ts'
export { createPlacedDatabase, type PlacedDatabase, type PlacedDatabaseOptions } from './placement/placed-database.ts'
export {
  createPlacements,
  type Model,
  type Placement,
  type PlacementLookup,
  type Placements,
  type PlacementsOptions,
  placementFor,
} from './placement/placement.ts'
export {
  createProvisioning,
  type Provisioning,
  type ProvisioningOptions,
  type SiloLogin,
  siloLogin,
} from './placement/provisioning.ts'
export { TenantUnavailable, type TenantUnavailableCode } from './placement/refusal.ts'
export type { SiloConnectionsOptions } from './placement/silo-connections.ts'
export type { CatalogClient, CatalogOptions } from './postgres/isolation/catalog.ts'
export {
  findRoleProblems,
  findUnprotectedTables,
  type InspectionOptions,
  type IsolationFinding,
  type IsolationProblem,
  inspectIsolation,
  type RoleProblem,
  type TableProblem,
  type UnprotectedTable,
} from './postgres/isolation/inspect.ts'
export { protect } from './postgres/isolation/protect.ts'
export { type ProtectOptions, protectSql, type TableToProtect } from './postgres/isolation/protect-sql.ts'
export { createTenantDatabase, postgresDriver } from './postgres/postgres-js.ts'
export {
  type Driver,
  type TenantDatabase,
  type TenantDatabaseOptions,
  tenantDatabaseOver,
} from './postgres/tenant-database.ts'
export { inScope, isConnectionLost, onceInScope, type Scope, type Tx } from './postgres/transaction.ts'
export { type RefusalCode, TokenRefused } from './refusal.ts'
export {
  type Authenticate,
  type AuthenticatorOptions,
  createAuthenticator,
  type Refusal,
  refusalAnswer,
} from './servers/http.ts'
export { cognito, type IssuerRules, type TokenRules } from './token/rules.ts'
export { createSuspensions, type SuspensionOptions, type Suspensions } from './token/suspensions.ts'
export {
  createVerifier,
  type OwnRules,
  type SameRules,
  type VerifiedToken,
  type Verifier,
  type VerifierOptions,
  type VerifierSettings,
} from './token/verifier.ts'
