import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import { violates } from '../constraint.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import { problems } from './rules.ts'
import type { ProofOfPossession, Scope } from './schema.ts'

export { defaults } from './rules.ts'

export interface ResourceServerRow {
  id: string
  identifier: string
  name: string | null
  is_system: boolean
  scopes: Scope[]
  signing_alg: string
  allow_offline_access: boolean
  token_lifetime: number
  token_lifetime_for_web: number
  enforce_policies: boolean
  token_dialect: string
  proof_of_possession: ProofOfPossession | null
  skip_consent_for_verifiable_first_party_clients: boolean
  created_at: Date
  updated_at: Date
}

export const columns = (tx: Tx) => tx`
  id, identifier, name, is_system, scopes, signing_alg, allow_offline_access, token_lifetime, token_lifetime_for_web,
  enforce_policies, token_dialect, proof_of_possession, skip_consent_for_verifiable_first_party_clients, created_at, updated_at`

const values = (tx: Tx, row: ResourceServerRow) => ({
  ...row,
  scopes: tx.json(row.scopes as JSONValue),
  proof_of_possession: row.proof_of_possession && tx.json(row.proof_of_possession as JSONValue),
})

/** An id wins over an identifier that looks like one. */
const named = (tx: Tx, idOrIdentifier: string) => tx`
  (id = ${idOrIdentifier} or identifier = ${idOrIdentifier}) order by (id = ${idOrIdentifier}) desc limit 1`

/** By id or identifier. @throws Problem `inexistent_resource_server` */
export async function get(tx: Tx, idOrIdentifier: string): Promise<ResourceServerRow> {
  const [row] = await tx<ResourceServerRow[]>`
    select ${columns(tx)} from resource_servers where ${named(tx, idOrIdentifier)}`
  if (!row) throw problems.inexistent_resource_server()
  return row
}

/** The row, locked until the transaction ends. @throws Problem `inexistent_resource_server` */
export async function lock(tx: Tx, idOrIdentifier: string): Promise<ResourceServerRow> {
  const [row] = await tx<ResourceServerRow[]>`
    select ${columns(tx)} from resource_servers where ${named(tx, idOrIdentifier)} for update`
  if (!row) throw problems.inexistent_resource_server()
  return row
}

/**
 * By identifier alone, kept from changing until the transaction ends: whoever hands out its scopes holds this lock.
 *
 * @throws Problem `inexistent_resource_server`
 */
export async function lockIdentifier(tx: Tx, identifier: string): Promise<ResourceServerRow> {
  const [row] = await tx<ResourceServerRow[]>`
    select ${columns(tx)} from resource_servers where identifier = ${identifier} for share`
  if (!row) throw problems.inexistent_resource_server()
  return row
}

export async function isKnown(tx: Tx, identifier: string): Promise<boolean> {
  const found = await tx`select from resource_servers where identifier = ${identifier}`
  return found.length > 0
}

export async function list(tx: Tx, page: Page, identifiers: string[] | undefined): Promise<Found<ResourceServerRow>> {
  const where = identifiers === undefined ? tx`true` : tx`identifier = any (${identifiers}::text[])`
  const [rows, [count]] = await Promise.all([
    tx<ResourceServerRow[]>`
      select ${columns(tx)} from resource_servers where ${where}
      order by created_at, id limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals'
      ? tx<{ total: number }[]>`select count(*)::int as total from resource_servers where ${where}`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}

/** @throws Problem `resource_server_conflict` */
export async function insert(tx: Tx, environmentId: string, row: ResourceServerRow): Promise<void> {
  await tx`insert into resource_servers ${tx({ environment_id: environmentId, ...values(tx, row) })}`.catch(
    violates('resource_server_identifier', problems.resource_server_conflict),
  )
}

/** Writes the row, and takes scopes that are gone from every role, user and client grant that held them. */
export async function save(tx: Tx, row: ResourceServerRow): Promise<void> {
  const { id, identifier, is_system: _, ...rest } = values(tx, row)
  await tx`update resource_servers set ${tx(rest)} where id = ${id}`
  const scopes = row.scopes.map((scope) => scope.value)
  await tx`
    delete from role_permissions
    where resource_server_identifier = ${identifier} and permission_name <> all (${scopes}::text[])`
  await tx`
    delete from user_permissions
    where resource_server_identifier = ${identifier} and permission_name <> all (${scopes}::text[])`
  await tx`
    update client_grants set scope = array(
      select value from unnest(scope) with ordinality as held (value, position)
      where value = any (${scopes}::text[]) order by position)
    where audience = ${identifier} and not scope <@ ${scopes}::text[]`
}

/** Its permissions and client grants go with it, by foreign keys in the same statement. */
export async function remove(tx: Tx, id: string): Promise<void> {
  await tx`delete from resource_servers where id = ${id}`
}
