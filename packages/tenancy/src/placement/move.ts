/**
 * A tenant moves to another place while it goes on working.
 *
 *   source                                  target                       control plane
 *   1 lock: written keys are noted          the tenant is fenced off
 *   2 copy under a snapshot           ───►  rows
 *   3 noted keys, again and again     ───►  rows as they are now
 *     all rows compared, as of one snapshot
 *   4 gate closed: writes are refused
 *     the last noted keys             ───►  rows; the fence falls
 *     “departed”, in the gate's transaction
 *   5                                                                    placement = target
 *   6 after a grace the source is cleared
 *
 * Where the truth is: in the control plane's row. A move that dies before 5 has changed nothing but what the next one wipes; its
 * locks end with its sessions. Between the ends of 4 and 5 writes are refused at both places; the next move, which sees the
 * old placement, lets them in again at the source. No time is named anywhere in the argument: a write is acknowledged
 * either before the gate closes, and then it is in the last copy, or in the new place.
 *
 * Reads go on throughout. Who has not heard of the move yet reads, for as long as his memory of the placement lasts, what was
 * true when the tenant left.
 */
import type { Sql } from 'postgres'
import { quoted } from '../postgres/quoted.ts'
import * as copying from './copying.ts'
import { MOVES } from './movable.ts'
import type { Model, Placement } from './placement.ts'
import { findRelations, type Relation, requireIsolated } from './relations.ts'

export interface MoveOptions {
  /** The control plane's database, on a connection that no pooler shares: it holds a lock while the tenant moves. */
  control: Sql
  /** The schema of the control plane's tables. */
  controlSchema: string
  /** A new pool, closed afterwards, as the owner of the application's tables in this place, past any pooler. */
  openOwner(placement: Placement): Sql
  /** The schema of the tables in the pool, and in a silo. */
  schema: string
  tenantColumn?: string
  setting?: string
  /** How long the gate waits for writes that are under way, refusing new ones, before it opens again for a while. */
  gateMilliseconds?: number
  /** How often it does. */
  gateTries?: number
}

export interface MoveReport {
  from: Model
  to: Model
  /** As compared before the gate closed. Empty when the tenant was there already. */
  tables: copying.TableSum[]
  /** Keys that were written meanwhile. */
  replayed: number
  /** How long the tenant's writes were refused, the wait for those under way included. */
  blockedMilliseconds: number
}

interface Session {
  source: copying.End
  target: copying.End
  relations: Relation[]
  targets: Relation[]
  /** The target's transactions check no references and fire no triggers. */
  free: boolean
  /** Nobody else uses the target's tables. */
  alone: boolean
}

/**
 * Moves one tenant. May be repeated after any crash. The target place must have been provisioned, and both must be `makeMovable`.
 *
 * @throws Error when tables differ, cannot be moved, or the copy is not what it was; the tenant then stays where it was, at work
 * @example
 * const report = await moveTenant(options, tenantId, placementFor('silo', tenantId))
 */
export async function moveTenant(options: MoveOptions, tenantId: string, to: Placement): Promise<MoveReport> {
  const { control, controlSchema } = options
  const held = await control.reserve()
  try {
    await held.unsafe('begin')
    const [lock] = await held<{ free: boolean }[]>`
      select pg_try_advisory_xact_lock(hashtextextended(${`move ${controlSchema} ${tenantId}`}, 0)) as free`
    if (!lock?.free) throw new Error('This tenant is being moved by somebody else.')
    const [row] = await held<{ placement: Placement }[]>`
      select placement from ${held(controlSchema)}.tenants where tenant = ${tenantId}`
    if (!row) throw new Error(`The control plane knows no tenant ${tenantId}.`)
    const from = row.placement
    if (samePlace(from, to)) {
      await held.unsafe('rollback')
      return { from: from.model, to: to.model, tables: [], replayed: 0, blockedMilliseconds: 0 }
    }
    const moved = await withEnds(options, tenantId, from, to, (session) =>
      move(options, session, async () => {
        await held`
          update ${held(controlSchema)}.tenants set placement = ${held.json(to)}, changed_at = clock_timestamp()
          where tenant = ${tenantId}`
        await held.unsafe('commit')
      }),
    )
    return { from: from.model, to: to.model, ...moved }
  } catch (error) {
    await held.unsafe('rollback').catch(() => {})
    throw error
  } finally {
    held.release()
  }
}

export const samePlace = (a: Placement, b: Placement): boolean =>
  a.model === b.model &&
  (a.model !== 'bridge' || a.schema === (b as typeof a).schema) &&
  (a.model !== 'silo' || a.database === (b as typeof a).database)

export const schemaIn = (placement: Placement, schema: string): string =>
  placement.model === 'bridge' ? placement.schema : schema

async function withEnds<T>(
  options: MoveOptions,
  tenantId: string,
  from: Placement,
  to: Placement,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { openOwner, setting = 'app.tenant_id', schema } = options
  const pools = [openOwner(from), openOwner(to)] as const
  try {
    const [source, target] = await Promise.all(
      ([from, to] as const).map(async (placement, n) => ({
        sql: await pools[n as 0 | 1].reserve(),
        schema: schemaIn(placement, schema),
        tenantId,
        setting,
      })),
    )
    const [relations, targets] = await plan(options, source!, target!)
    const [may] = await target!.sql<{ free: boolean }[]>`
      select has_parameter_privilege(current_user, 'session_replication_role', 'SET') as free`
    const session = {
      source: source!,
      target: target!,
      relations,
      targets,
      free: may!.free,
      alone: to.model !== 'pool',
    }
    if (!session.free && !session.alone) {
      const triggered = targets.filter(({ triggers }) => triggers.length > 0).map(({ name }) => name)
      if (triggered.length > 0) {
        throw new Error(
          `Triggers on ${triggered.join(', ')} would change what is copied into the pool. Let the owner silence them: GRANT SET ON PARAMETER session_replication_role TO its role.`,
        )
      }
    }
    return await work(session)
  } finally {
    // Ends what is under way, and with it every lock.
    await Promise.all(pools.map((pool) => pool.end({ timeout: 0 })))
  }
}

/** @returns the tables of both ends, which are the same */
async function plan(options: MoveOptions, source: copying.End, target: copying.End): Promise<[Relation[], Relation[]]> {
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

async function move(
  options: MoveOptions,
  session: Session,
  switchPlacement: () => Promise<void>,
): Promise<Pick<MoveReport, 'tables' | 'replayed' | 'blockedMilliseconds'>> {
  const { source, target, relations } = session
  const place = copying.placeOf(source)
  // What a move that died between 4 and 5 has left: the control plane says that the tenant is here.
  await source.sql`delete from ${source.sql(MOVES)}.departed where place = ${place}`
  await target.sql`insert into ${target.sql(MOVES)}.departed (place) values (${copying.placeOf(target)}) on conflict do nothing`
  // Whoever writes from now on notes it; this waits for those who began before, and holds up nobody.
  await source.sql`select pg_advisory_lock(hashtextextended(${place}, 1))`
  await source.sql`delete from ${source.sql(MOVES)}.changes where place = ${place}`

  await both(session, 'repeatable read', async () => {
    await copying.deleteAll(target, relations)
    await copying.copyAll(source, target, relations)
    await copying.advanceSequences(source, target, relations, session.targets, session.alone)
  })
  let replayed = 0
  const round = () =>
    both(session, 'repeatable read', async () => {
      const count = await copying.replay(source, target, relations, session.free)
      replayed += count
      return count
    })
  // Each round is shorter than the one before, or the tenant writes faster than it can be copied.
  for (let rounds = 0; rounds < 10 && (await round()) > 100; rounds++);
  const tables = await both(session, 'repeatable read', async () => {
    replayed += await copying.replay(source, target, relations, session.free)
    return copying.compare(source, target, relations)
  })
  // What was written during the comparison.
  for (let rounds = 0; rounds < 10 && (await round()) > 100; rounds++);

  const { gateMilliseconds = 500, gateTries = 20 } = options
  for (let tries = 1; ; tries++) {
    const passed = await throughGate(session, gateMilliseconds, switchPlacement)
    if (passed) {
      replayed += passed.replayed
      return { tables, replayed, blockedMilliseconds: performance.now() - passed.closed }
    }
    if (tries === gateTries) {
      throw new Error(
        `The tenant’s transactions write for longer than ${gateMilliseconds} ms; no moment was found to move it. It stays where it is.`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, gateMilliseconds))
    await round()
  }
}

/** A transaction at either end; the target's is committed first, because doing it again does no harm. */
async function both<T>(
  session: Session,
  isolation: 'read committed' | 'repeatable read',
  work: () => Promise<T>,
): Promise<T> {
  await beginBoth(session, isolation)
  try {
    const result = await work()
    await commitTarget(session)
    await copying.commit(session.source)
    return result
  } catch (error) {
    await Promise.all([copying.rollback(session.source), copying.rollback(session.target)])
    throw error
  }
}

async function beginBoth(
  { source, target, targets, free, alone }: Session,
  isolation: 'read committed' | 'repeatable read',
) {
  await copying.begin(source, isolation)
  await copying.begin(target, 'read committed')
  if (free) await target.sql`select set_config('session_replication_role', 'replica', true)`
  else if (alone) await silence(target, targets, 'disable')
}

async function commitTarget({ target, targets, free, alone }: Session): Promise<void> {
  if (!free && alone) await silence(target, targets, 'enable')
  await copying.commit(target)
}

/** The application's triggers have run when the rows were written; here they would run a second time. */
async function silence(
  { sql, schema }: copying.End,
  targets: readonly Relation[],
  what: 'disable' | 'enable',
): Promise<void> {
  for (const { name, triggers } of targets) {
    for (const trigger of triggers) {
      await sql.unsafe(`alter table ${quoted(schema)}.${quoted(name)} ${what} trigger ${quoted(trigger)}`)
    }
  }
}

/** @returns undefined when writes under way did not end in time */
async function throughGate(
  session: Session,
  gateMilliseconds: number,
  switchPlacement: () => Promise<void>,
): Promise<{ replayed: number; closed: number } | undefined> {
  const { source, target, relations } = session
  await beginBoth(session, 'read committed')
  try {
    await source.sql`select set_config('lock_timeout', ${String(gateMilliseconds)}, true)`
    const closed = performance.now()
    // From here on the tenant's new writes are refused, also while this waits for the old ones.
    await source.sql`select pg_advisory_xact_lock(hashtextextended(${copying.placeOf(source)}, 0))`
    const replayed = await copying.replay(source, target, relations, session.free)
    await copying.advanceSequences(source, target, relations, session.targets, session.alone)
    await target.sql`delete from ${target.sql(MOVES)}.departed where place = ${copying.placeOf(target)}`
    await commitTarget(session)
    await source.sql`insert into ${source.sql(MOVES)}.departed (place) values (${copying.placeOf(source)})`
    await copying.commit(source)
    await switchPlacement()
    return { replayed, closed }
  } catch (error) {
    await Promise.all([copying.rollback(source), copying.rollback(target)])
    if ((error as { code?: unknown }).code === '55P03') return undefined
    throw error
  }
}

/**
 * Deletes what a tenant has left behind in a place where it is no more. Wait with it for longer than placements are remembered.
 * A schema or database of its own is better taken away whole, by `deprovision`.
 *
 * @returns rows deleted per table
 * @throws Error when the tenant lives there
 */
export async function clearDeparted(
  options: MoveOptions,
  tenantId: string,
  placement: Placement,
): Promise<Record<string, number>> {
  const { control, controlSchema, openOwner, setting = 'app.tenant_id', schema } = options
  const [row] = await control<{ placement: Placement }[]>`
    select placement from ${control(controlSchema)}.tenants where tenant = ${tenantId}`
  if (!row || samePlace(row.placement, placement)) {
    throw new Error('The tenant lives there; its rows are not left-overs.')
  }
  return deleteRows(
    { openOwner, setting, schema, ...(options.tenantColumn ? { tenantColumn: options.tenantColumn } : {}) },
    tenantId,
    placement,
  )
}

/** How the owner of the application's tables gets to a tenant's rows. */
export type OwnerOptions = Pick<MoveOptions, 'openOwner' | 'schema' | 'setting' | 'tenantColumn'>

/**
 * Work on all rows of one tenant in one place, on a connection of its own. A partition is reached through its table, whose
 * policies decide.
 *
 * @throws Error naming tables whose policies the connection would pass by; the driver's, with code 3D000, where there is no
 * such database
 */
export async function asOwner<T>(
  options: OwnerOptions,
  tenantId: string,
  placement: Placement,
  work: (end: copying.End, relations: readonly Relation[]) => Promise<T>,
): Promise<T> {
  const { openOwner, setting = 'app.tenant_id' } = options
  const pool = openOwner(placement)
  try {
    const end = { sql: await pool.reserve(), schema: schemaIn(placement, options.schema), tenantId, setting }
    const all = await findRelations(end.sql as unknown as Sql, { ...options, schema: end.schema })
    const relations = all.filter(({ partition }) => !partition)
    requireIsolated(relations)
    return await work(end, relations)
  } finally {
    await pool.end({ timeout: 0 })
  }
}

/** Every row of one tenant in one place, in one transaction. @returns rows per table */
export const deleteRows = (
  options: OwnerOptions,
  tenantId: string,
  placement: Placement,
): Promise<Record<string, number>> =>
  asOwner(options, tenantId, placement, async (end, relations) => {
    await copying.begin(end, 'read committed')
    const counts = await copying.deleteAll(end, relations)
    await copying.commit(end)
    return counts
  })
