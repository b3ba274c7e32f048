import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import { violates } from '../constraint.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import type { Dependency } from './dependencies.ts'
import { problems } from './rules.ts'

export interface Draft {
  id: string
  name: string
  trigger_id: string
  trigger_version: string
  code: string
  runtime: string
  dependencies: Dependency[]
  /** Sealed; copied as it is into versions. */
  secrets: Uint8Array | null
  created_at: Date
  updated_at: Date
}

export interface ActionRow extends Draft {
  all_changes_deployed: boolean
}

export interface VersionRow {
  id: string
  action_id: string
  number: number
  code: string
  runtime: string
  dependencies: Dependency[]
  secrets: Uint8Array | null
  deployed: boolean
  created_at: Date
}

/** What runs: the deployed snapshot, never the draft. */
export interface DeployedAction {
  actionId: string
  versionId: string
  name: string
  code: string
  secrets: Uint8Array | null
}

// A deployed version holds the draft's own bytes, so equal bytes mean that nothing was changed since.
const columns = (tx: Tx) => tx`
  a.id, a.name, a.trigger_id, a.trigger_version, a.code, a.runtime, a.dependencies, a.secrets, a.created_at,
  a.updated_at,
  exists (select from action_versions v where v.action_id = a.id and v.deployed and v.code = a.code
    and v.runtime = a.runtime and v.dependencies = a.dependencies and v.secrets is not distinct from a.secrets) as all_changes_deployed`

const versionColumns = (tx: Tx) => tx`id, action_id, number, code, runtime, dependencies, secrets, deployed, created_at`

const json = (tx: Tx, dependencies: Dependency[]) => tx.json(dependencies as unknown as JSONValue)

const bytes = (value: Uint8Array | null) => (value ? Buffer.from(value) : null)

/** @throws Problem `action_conflict` */
export async function insert(tx: Tx, environmentId: string, draft: Draft): Promise<void> {
  await tx`insert into actions ${tx({ environment_id: environmentId, ...draft, dependencies: json(tx, draft.dependencies), secrets: bytes(draft.secrets) })}`.catch(
    violates('action_name', problems.action_conflict),
  )
}

/** @throws Problem `inexistent_action` */
export async function get(tx: Tx, id: string): Promise<ActionRow> {
  const [row] = await tx<ActionRow[]>`select ${columns(tx)} from actions a where a.id = ${id}`
  if (!row) throw problems.inexistent_action()
  return row
}

/** The draft, held until the transaction ends. @throws Problem `inexistent_action` */
export async function lock(tx: Tx, id: string): Promise<ActionRow> {
  await tx`select 1 from actions where id = ${id} for update`
  return get(tx, id)
}

export interface ListFilter {
  triggerId?: string
  actionName?: string
  deployed?: boolean
}

export async function list(tx: Tx, page: Page, filter: ListFilter): Promise<Found<ActionRow>> {
  const { triggerId, actionName, deployed } = filter
  const isDeployed = tx`exists (select from action_versions v where v.action_id = a.id and v.deployed)`
  const where = tx`true
    ${triggerId === undefined ? tx`` : tx`and a.trigger_id = ${triggerId}`}
    ${actionName === undefined ? tx`` : tx`and a.name = ${actionName}`}
    ${deployed === undefined ? tx`` : tx`and ${isDeployed} = ${deployed}`}`
  const [rows, [count]] = await Promise.all([
    tx<ActionRow[]>`
      select ${columns(tx)} from actions a where ${where}
      order by a.created_at, a.id limit ${fetchLimit(page)} offset ${page.offset}`,
    tx<{ total: number }[]>`select count(*)::int as total from actions a where ${where}`,
  ])
  return { rows, total: count!.total }
}

/** @throws Problem `action_conflict` */
export async function save(tx: Tx, row: ActionRow): Promise<void> {
  await tx`
    update actions set name = ${row.name}, trigger_version = ${row.trigger_version}, code = ${row.code},
      runtime = ${row.runtime}, dependencies = ${json(tx, row.dependencies)}, secrets = ${bytes(row.secrets)}, updated_at = ${row.updated_at}
    where id = ${row.id}`.catch(violates('action_name', problems.action_conflict))
}

/** @throws Problem `action_bound` unless forced; bindings then go with it */
export async function remove(tx: Tx, id: string, options: { force: boolean }): Promise<boolean> {
  await tx`select 1 from actions where id = ${id} for update`
  const bound = await tx`select 1 from action_bindings where action_id = ${id}`
  if (bound.length > 0 && !options.force) throw problems.action_bound()
  const gone = await tx`delete from actions where id = ${id} returning 1`
  return gone.length > 0
}

/** The deployed versions of these actions, by action. */
export async function deployedVersions(tx: Tx, actionIds: string[]): Promise<Map<string, VersionRow>> {
  const rows = await tx<VersionRow[]>`
    select ${versionColumns(tx)} from action_versions where action_id = any(${actionIds}) and deployed`
  return new Map(rows.map((row) => [row.action_id, row]))
}

const KEPT_VERSIONS = 50

/**
 * A snapshot that runs from now on instead of the one before. The action must be locked: two deployments at once would
 * otherwise take the same number. Old snapshots beyond fifty go.
 */
export async function deploy(
  tx: Tx,
  environmentId: string,
  version: Pick<VersionRow, 'id' | 'action_id' | 'code' | 'runtime' | 'dependencies' | 'secrets' | 'created_at'>,
): Promise<VersionRow> {
  await tx`update action_versions set deployed = false where action_id = ${version.action_id} and deployed`
  const [row] = await tx<VersionRow[]>`
    insert into action_versions
      (environment_id, id, action_id, number, code, runtime, dependencies, secrets, deployed, created_at)
    select ${environmentId}, ${version.id}, ${version.action_id}, coalesce(max(number), 0) + 1, ${version.code},
      ${version.runtime}, ${json(tx, version.dependencies)}, ${bytes(version.secrets)}, true, ${version.created_at}
    from action_versions where action_id = ${version.action_id}
    returning ${versionColumns(tx)}`
  await tx`
    delete from action_versions
    where action_id = ${version.action_id} and number <= ${row!.number - KEPT_VERSIONS}`
  return row!
}

export async function listVersions(tx: Tx, actionId: string, page: Page): Promise<Found<VersionRow>> {
  const [rows, [count]] = await Promise.all([
    tx<VersionRow[]>`
      select ${versionColumns(tx)} from action_versions where action_id = ${actionId}
      order by number desc limit ${fetchLimit(page)} offset ${page.offset}`,
    tx<{ total: number }[]>`select count(*)::int as total from action_versions where action_id = ${actionId}`,
  ])
  return { rows, total: count!.total }
}

/** @throws Problem `inexistent_action_version` */
export async function getVersion(tx: Tx, actionId: string, id: string): Promise<VersionRow> {
  const [row] = await tx<VersionRow[]>`
    select ${versionColumns(tx)} from action_versions where action_id = ${actionId} and id = ${id}`
  if (!row) throw problems.inexistent_action_version()
  return row
}

/** What runs at a trigger, in order. */
export const deployedFor = (tx: Tx, triggerId: string): Promise<DeployedAction[]> => tx<DeployedAction[]>`
  select a.id as "actionId", v.id as "versionId", a.name, v.code, v.secrets
  from action_bindings b
  join actions a on a.id = b.action_id
  join action_versions v on v.action_id = a.id and v.deployed
  where b.trigger_id = ${triggerId} order by b.position`

export interface BindingRow {
  id: string
  trigger_id: string
  display_name: string
  action_id: string
  created_at: Date
  updated_at: Date
}

const bindingColumns = (tx: Tx) => tx`id, trigger_id, display_name, action_id, created_at, updated_at`

export async function listBindings(tx: Tx, triggerId: string, page: Page): Promise<Found<BindingRow>> {
  const [rows, [count]] = await Promise.all([
    tx<BindingRow[]>`
      select ${bindingColumns(tx)} from action_bindings where trigger_id = ${triggerId}
      order by position limit ${fetchLimit(page)} offset ${page.offset}`,
    tx<{ total: number }[]>`select count(*)::int as total from action_bindings where trigger_id = ${triggerId}`,
  ])
  return { rows, total: count!.total }
}

/** Replacements of one trigger's bindings wait for each other. */
export async function lockBindings(tx: Tx, environmentId: string, triggerId: string): Promise<void> {
  await tx`select pg_advisory_xact_lock(hashtextextended(${`${environmentId}/bindings/${triggerId}`}, 0))`
}

/** The deployed action that a binding refers to, kept from being deleted meanwhile. */
export async function findDeployed(
  tx: Tx,
  triggerId: string,
  ref: { type: 'action_id' | 'action_name' | 'binding_id'; value: string },
): Promise<{ id: string; name: string } | undefined> {
  const condition = {
    action_id: tx`a.id = ${ref.value}`,
    action_name: tx`a.name = ${ref.value}`,
    binding_id: tx`a.id = (select action_id from action_bindings where id = ${ref.value})`,
  }[ref.type]
  const [row] = await tx<{ id: string; name: string }[]>`
    select a.id, a.name from actions a
    where ${condition} and a.trigger_id = ${triggerId}
      and exists (select from action_versions v where v.action_id = a.id and v.deployed)
    for share of a`
  return row
}

export async function replaceBindings(
  tx: Tx,
  environmentId: string,
  triggerId: string,
  bindings: BindingRow[],
): Promise<void> {
  await tx`delete from action_bindings where trigger_id = ${triggerId}`
  for (const [position, binding] of bindings.entries()) {
    await tx`insert into action_bindings ${tx({ environment_id: environmentId, position, ...binding })}`
  }
}
