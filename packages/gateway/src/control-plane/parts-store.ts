/** The rows of an API's parts. They differ in a column or two, so one set of statements serves all of them. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Page } from './operation.ts'

/** Where a part lives: every statement names its API, the environment is the transaction's. */
export interface Within {
  readonly environmentId: string
  readonly apiId: string
}

// biome-ignore lint/suspicious/noExplicitAny: the members of a noun's settings are stated by its schema
export type Settings = Record<string, any>

interface Part {
  readonly api_id: string
  readonly id: string
  readonly settings: Settings
  readonly position: string
}

export interface StoredIntegration extends Part {
  readonly is_managed: boolean
}

export interface StoredAuthorizer extends Part {
  readonly name: string
}

export interface StoredRoute extends Part {
  readonly route_key: string
  readonly integration_id: string | null
  readonly authorizer_id: string | null
  readonly is_managed: boolean
}

interface Rows {
  integrations: StoredIntegration
  authorizers: StoredAuthorizer
  routes: StoredRoute
}

export type PartTable = keyof Rows

export type Row<P extends PartTable> = Rows[P]
/** What a noun decides of its row. */
export type Columns<P extends PartTable> = Omit<Rows[P], 'api_id' | 'id' | 'position'>
type New<P extends PartTable> = Columns<P> & { readonly id: string }

const tableOf = (tx: Tx, part: PartTable) => tx(`gateway.${part}`)

export const list = <P extends PartTable>(tx: Tx, part: P, apiId: string, { after, limit }: Page): Promise<Rows[P][]> =>
  tx`select * from ${tableOf(tx, part)}
     where api_id = ${apiId} and position > ${after} order by position limit ${limit + 1}` as unknown as Promise<
    Rows[P][]
  >

export const all = <P extends PartTable>(tx: Tx, part: P, apiId: string): Promise<Rows[P][]> =>
  tx`select * from ${tableOf(tx, part)} where api_id = ${apiId} order by position` as unknown as Promise<Rows[P][]>

export async function find<P extends PartTable>(
  tx: Tx,
  part: P,
  apiId: string,
  id: string,
): Promise<Rows[P] | undefined> {
  const rows = await tx`select * from ${tableOf(tx, part)} where api_id = ${apiId} and id = ${id}`
  return rows[0] as unknown as Rows[P] | undefined
}

export async function insert<P extends PartTable>(tx: Tx, part: P, within: Within, row: New<P>): Promise<void> {
  const values: Settings = {
    ...row,
    environment_id: within.environmentId,
    api_id: within.apiId,
    settings: tx.json(row.settings),
  }
  await tx`insert into ${tableOf(tx, part)} ${tx(values)}`
}

export async function update<P extends PartTable>(tx: Tx, part: P, apiId: string, row: New<P>): Promise<void> {
  const { id, ...columns }: Settings = { ...row, settings: tx.json(row.settings) }
  await tx`update ${tableOf(tx, part)} set ${tx(columns)} where api_id = ${apiId} and id = ${id}`
}

export const remove = (tx: Tx, part: PartTable, apiId: string, id: string) =>
  tx`delete from ${tableOf(tx, part)} where api_id = ${apiId} and id = ${id}`

export const removeAll = (tx: Tx, part: PartTable, apiId: string) =>
  tx`delete from ${tableOf(tx, part)} where api_id = ${apiId}`

export async function count(tx: Tx, part: PartTable, apiId: string): Promise<number> {
  const [row] = await tx<{ total: number }[]>`
    select count(*)::int as total from ${tableOf(tx, part)} where api_id = ${apiId}`
  return row!.total
}

/** Keys of the routes that name an integration or an authorizer. */
export const routeKeysNaming = async (
  tx: Tx,
  column: 'integration_id' | 'authorizer_id',
  apiId: string,
  id: string,
): Promise<string[]> => {
  const rows = await tx<{ route_key: string }[]>`
    select route_key from gateway.routes where api_id = ${apiId} and ${tx(column)} = ${id} order by position`
  return rows.map((row) => row.route_key)
}

export const nameIsTaken = async (tx: Tx, apiId: string, name: string): Promise<boolean> =>
  (await tx`select from gateway.authorizers where api_id = ${apiId} and name = ${name}`).length > 0

export const routeKeyIsTaken = async (tx: Tx, apiId: string, key: string): Promise<boolean> =>
  (await tx`select from gateway.routes where api_id = ${apiId} and route_key = ${key}`).length > 0
