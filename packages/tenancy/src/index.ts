export {
  type CatalogOptions,
  findRoleProblems,
  findUnprotectedTables,
  type RoleProblem,
  type TableProblem,
  type UnprotectedTable,
} from './catalog.ts'
export { type Authenticate, createAuthenticator, type Refusal, refusalAnswer } from './http.ts'
export { type RefusalCode, TokenRefused } from './refusal.ts'
export { requireScope, type SaasIdentity, type SaasIdentityOptions, saasIdentity, TENANT_ID } from './saas-identity.ts'
export { createTenantDatabase, type TenantDatabase, type TenantDatabaseOptions } from './tenant-database.ts'
export { inScope, isConnectionLost, onceInScope, type Scope, type Tx } from './transaction.ts'
export { createVerifier, type VerifiedToken, type Verifier, type VerifierOptions } from './verifier.ts'
