/** What a move holds: a connection to each end, the tables there, and a transaction at both. */
import type { Sql } from 'postgres'
import { quoted } from '../postgres/quoted.ts'
import { beginning, commit, type End, type Isolation, rollback, tell } from './end.ts'
import type { OwnerOptions } from './owner.ts'
import { type Placement, schemaIn } from './placement.ts'
import { findRelations, type Relation, requireIsolated } from './relations.ts'
import { prepareSource, prepareTarget } from './replaying.ts'

export interface Session {
  source: End
  target: End
  /** Of the source, those referred to before those that refer; and the same of the target. */
  relations: Relation[]
  targets: Relation[]
  /** The target's transactions check no references and fire no triggers. */
  free: boolean
  /** Nobody else uses the target's tables. */
  alone: boolean
}

/** @throws Error when the tables differ, or could not be moved without loss */
export async function withSession<T>(
  options: OwnerOptions,
  tenantId: string,
  from: Placement,
  to: Placement,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { openOwner, setting = 'app.tenant_id' } = options
  const pools = [openOwner(from), openOwner(to)] as const
  const endAt = async (placement: Placement, pool: Sql): Promise<End> => ({
    ...{ sql: await pool.reserve(), schema: schemaIn(placement, options.schema), tenantId, setting },
  })
  try {
    const [source, target] = await Promise.all([endAt(from, pools[0]), endAt(to, pools[1])])
    const [relations, targets] = await findTables(options, source, target)
    const [may] = await tell<{ free: boolean }>(
      target,
      "select has_parameter_privilege(current_user, 'session_replication_role', 'SET') as free",
    )
    const session = { source, target, relations, targets, free: may!.free, alone: to.model !== 'pool' }
    requireQuiet(session)
    await Promise.all([prepareSource(source), prepareTarget(target)])
    return await work(session)
  } finally {
    // Ends what is under way, and with it every lock.
    await Promise.all(pools.map((pool) => pool.end({ timeout: 0 })))
  }
}

/** @returns the tables of both ends, which are the same */
async function findTables(options: OwnerOptions, source: End, target: End): Promise<[Relation[], Relation[]]> {
  const lists: Relation[][] = []
  for (const { sql, schema } of [source, target]) {
    const all = await findRelations(sql as unknown as Sql, { ...options, schema })
    requireIsolated(all)
    const stuck = all.filter(({ movable }) => !movable).map(({ name }) => `${schema}.${name}`)
    if (stuck.length > 0) {
      throw new Error(
        `Nothing would notice writes to ${stuck.join(', ')} during a move. Call makeMovable at the end of the migrations.`,
      )
    }
    lists.push(all.filter(({ partition }) => !partition))
  }
  const [here, there] = lists as [Relation[], Relation[]]
  if (here.length === 0) throw new Error(`There are no tables with tenants’ rows in ${source.schema}.`)
  const shapes = (relations: Relation[]) =>
    relations.map(({ name, shape, key }) => `${name} (${shape}) by ${key}`).sort()
  const different = shapes(here).filter((shape) => !shapes(there).includes(shape))
  if (different.length > 0 || here.length !== there.length) {
    throw new Error(
      `The tables of ${source.schema} and ${target.schema} are not the same: ${different.join('; ') || 'some are missing'}. Bring both up to date.`,
    )
  }
  return [here, there]
}

/** @throws Error naming tables of the pool whose triggers would fire for rows that are only copied */
function requireQuiet({ targets, free, alone }: Session): void {
  const triggered = targets.filter(({ triggers }) => triggers.length > 0).map(({ name }) => name)
  if (free || alone || triggered.length === 0) return
  throw new Error(
    `Triggers on ${triggered.join(', ')} would change what is copied into the pool. Let the owner silence them: GRANT SET ON PARAMETER session_replication_role TO its role.`,
  )
}

export async function beginBoth(
  session: Session,
  isolation: Isolation,
  settings: Record<string, string> = {},
): Promise<void> {
  const { source, target, free, alone } = session
  const quiet = free
    ? ["select set_config('session_replication_role', 'replica', true)"]
    : alone
      ? switchTriggers(session, 'disable')
      : []
  await Promise.all([
    tell(source, ...beginning(source, isolation, settings)),
    tell(target, ...beginning(target, 'read committed'), ...quiet),
  ])
}

/** Statements that end the target's transaction. */
export const ending = (session: Session): string[] => [
  ...(!session.free && session.alone ? switchTriggers(session, 'enable') : []),
  'commit',
]

/** The application's triggers have run when the rows were written; here they would run a second time. */
const switchTriggers = ({ target, targets }: Session, how: 'disable' | 'enable'): string[] =>
  targets.flatMap(({ name, triggers }) =>
    triggers.map((trigger) => `alter table ${quoted(target.schema)}.${quoted(name)} ${how} trigger ${quoted(trigger)}`),
  )

export const rollbackBoth = async ({ source, target }: Session): Promise<void> =>
  void (await Promise.all([rollback(source), rollback(target)]))

/** A transaction at either end; the target's is committed first, because doing it again does no harm. */
export async function both<T>(session: Session, work: () => Promise<T>): Promise<T> {
  try {
    await beginBoth(session, 'repeatable read')
    const result = await work()
    await tell(session.target, ...ending(session))
    await commit(session.source)
    return result
  } catch (error) {
    await rollbackBoth(session)
    throw error
  }
}
