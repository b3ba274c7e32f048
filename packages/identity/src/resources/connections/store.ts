import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import { problems as clientProblems } from '../clients/rules.ts'
import { violates } from '../constraint.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import { problems } from './rules.ts'
import type { ConnectionOptions } from './schema.ts'

export interface ConnectionRow {
  id: string
  name: string
  display_name: string | null
  strategy: string
  options: ConnectionOptions
  metadata: Record<string, string>
  show_as_button: boolean
  is_domain_connection: boolean
  created_at: Date
  updated_at: Date
}
export type ConnectionWithClients = ConnectionRow & { enabled_clients: string[] }

const columns = (tx: Tx) => tx`
  c.id, c.name, c.display_name, c.strategy, c.options, c.metadata, c.show_as_button, c.is_domain_connection,
  c.created_at, c.updated_at,
  array(select client_id from connection_clients where connection_id = c.id order by client_id) as enabled_clients`

const values = (tx: Tx, row: ConnectionRow) => ({
  ...row,
  options: tx.json(row.options as JSONValue),
  metadata: tx.json(row.metadata),
})

export async function find(tx: Tx, id: string): Promise<ConnectionWithClients | undefined> {
  const [row] = await tx<ConnectionWithClients[]>`select ${columns(tx)} from connections c where c.id = ${id}`
  return row
}

/** @throws Problem `inexistent_connection` */
export async function get(tx: Tx, id: string): Promise<ConnectionWithClients> {
  const row = await find(tx, id)
  if (!row) throw problems.inexistent_connection()
  return row
}

export async function findByName(tx: Tx, name: string): Promise<ConnectionWithClients | undefined> {
  const [row] = await tx<ConnectionWithClients[]>`select ${columns(tx)} from connections c where c.name = ${name}`
  return row
}

/** The row, locked until the transaction ends. @throws Problem `inexistent_connection` */
export async function lock(tx: Tx, id: string): Promise<ConnectionRow> {
  const [row] = await tx<ConnectionRow[]>`
    select id, name, display_name, strategy, options, metadata, show_as_button, is_domain_connection, created_at, updated_at
    from connections where id = ${id} for update`
  if (!row) throw problems.inexistent_connection()
  return row
}

export interface ConnectionListFilter {
  strategies?: string[] | undefined
  name?: string | undefined
  /** Only connections enabled for this client. */
  clientId?: string | undefined
}

export async function list(tx: Tx, page: Page, filter: ConnectionListFilter): Promise<Found<ConnectionWithClients>> {
  const { strategies, name, clientId } = filter
  // Only what was asked stands in the statement, so that each question finds its index.
  const where = tx`true
    ${strategies === undefined ? tx`` : tx`and c.strategy = any (${strategies}::text[])`}
    ${name === undefined ? tx`` : tx`and c.name = ${name}`}
    ${
      clientId === undefined
        ? tx``
        : tx`and c.id in (select cc.connection_id from connection_clients cc where cc.client_id = ${clientId})`
    }`
  const [rows, [count]] = await Promise.all([
    tx<ConnectionWithClients[]>`
      select ${columns(tx)} from connections c
      where ${where} ${page.after === undefined ? tx`` : tx`and c.id > ${page.after}`}
      order by ${page.kind === 'checkpoint' ? tx`c.id` : tx`c.created_at, c.id`}
      limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals'
      ? tx<{ total: number }[]>`select count(*)::int as total from connections c where ${where}`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}

/** @throws Problem `connection_conflict` */
export async function insert(tx: Tx, environmentId: string, row: ConnectionRow): Promise<void> {
  await tx`insert into connections ${tx({ environment_id: environmentId, ...values(tx, row) })}`.catch(
    violates('connection_name', problems.connection_conflict),
  )
}

export async function save(tx: Tx, row: ConnectionRow): Promise<void> {
  const { id, ...rest } = values(tx, row)
  await tx`update connections set ${tx(rest)} where id = ${id}`
}

/** Its users, their sessions and grants go with it, by foreign keys in the same statement. */
export async function remove(tx: Tx, id: string): Promise<boolean> {
  const gone = await tx`delete from connections where id = ${id} returning 1`
  return gone.length > 0
}

export async function listClients(tx: Tx, id: string, page: Page): Promise<Found<{ client_id: string }>> {
  const rows = await tx<{ client_id: string }[]>`
    select client_id from connection_clients
    where connection_id = ${id} ${page.after === undefined ? tx`` : tx`and client_id > ${page.after}`}
    order by client_id limit ${fetchLimit(page)}`
  return { rows, total: 0 }
}

/** @throws Problem `inexistent_client` */
export async function enableClients(tx: Tx, environmentId: string, id: string, clientIds: string[]): Promise<void> {
  await tx`
    insert into connection_clients (environment_id, connection_id, client_id)
    select ${environmentId}, ${id}, client_id from unnest(${clientIds}::text[]) as asked (client_id)
    on conflict do nothing`.catch(
    violates('connection_clients_environment_id_client_id_fkey', clientProblems.inexistent_client),
  )
}

export async function disableClients(tx: Tx, id: string, clientIds: string[]): Promise<void> {
  await tx`delete from connection_clients where connection_id = ${id} and client_id = any (${clientIds}::text[])`
}

/** These and no others. @throws Problem `inexistent_client` */
export async function replaceClients(tx: Tx, environmentId: string, id: string, clientIds: string[]): Promise<void> {
  await tx`delete from connection_clients where connection_id = ${id} and client_id <> all (${clientIds}::text[])`
  await enableClients(tx, environmentId, id, clientIds)
}

/** Whose own identity it is: one that was linked belongs to somebody else. */
export async function removeUserByEmail(tx: Tx, id: string, email: string): Promise<void> {
  await tx`
    delete from users where user_id in (
      select user_id from user_identities
      where connection_id = ${id} and email_key = lower(${email}) and is_primary)`
}
