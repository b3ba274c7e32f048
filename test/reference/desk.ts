/**
 * What examples leave to their reader; `desk/open.ts` gets it from real things: a database with its roles, Tenantry as the
 * issuer, a caller. What one example alone needs is in `setups.ts`.
 */
import type { Authenticate, SaasIdentity, TenantDatabase, TenantLifeOptions, Tx, Verifier } from '@tenantry/tenancy'
import type { Sql } from 'postgres'
import type { Life } from '../../packages/tenancy/src/lifecycle/test-life.ts'
import type { AwsServices } from './desk/aws.ts'
import type { Place } from './desk/database.ts'

interface Request {
  headers: { authorization: string }
}

/** What the head of the reference explains, in `kit.ts`. */
export interface Named {
  tenantId: string
  token: string
  request: Request
  identity: SaasIdentity
  verifier: Verifier
  authenticate: Authenticate
  url: string
  sql: Sql
  database: TenantDatabase
  listItems(tx: Tx): Promise<{ name: string }[]>
  owner: Sql
  control: Sql
  options: TenantLifeOptions
  limitsUrl: string
  migrate: Place['migrate']
  directory: string
}

export interface Issuer {
  /** As Tenantry signs them; `undefined` removes a claim. */
  token(claims: Record<string, unknown>): Promise<string>
  /** The client of a machine that may read which organizations are suspended, and one that is. */
  suspended(): Promise<{ clientId: string; clientSecret: string; organizationId: string }>
  close(): Promise<void>
}

export interface Desk extends Named {
  issuer: Issuer
  /** A token of the caller, with other claims. */
  tokenFor(claims: Record<string, unknown>): Promise<string>
  requestWith(token: string): Request
  restock: Place['restock']
  life: Life
  /** Of a silo's own role. */
  siloUrl(database: string): string
  aws: AwsServices
  /** Done when all examples have run, the last first. */
  later(work: () => unknown): void
}
