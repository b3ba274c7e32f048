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
import { literal, quoted } from '../postgres/quoted.ts'
import * as copying from './copying.ts'
import { placeOf, tell } from './end.ts'
import { MOVES } from './movable.ts'
import type { ControlOptions, OwnerOptions } from './owner.ts'
import { type Model, type Placement, samePlace } from './placement.ts'
import { countOf, replay, takeNotes } from './replaying.ts'
import { beginBoth, both, ending, rollbackBoth, type Session, withSession } from './session.ts'

export interface MoveOptions extends OwnerOptions, ControlOptions {
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

/**
 * Moves one tenant. May be repeated after any crash. The target place must have been provisioned, and both must be `makeMovable`.
 *
 * @throws Error when tables differ, cannot be moved, or the copy is not what it was; the tenant then stays where it was, at work
 * @example
 * const silo = placementFor('silo', tenantId)
 * await provision(tenantId, silo)
 * await moveTenant(options, tenantId, silo) // → { from: 'pool', to: 'silo', … }
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
    const switchPlacement = () =>
      held.unsafe(`
        update ${quoted(controlSchema)}.tenants
        set placement = ${literal(JSON.stringify(to))}, changed_at = clock_timestamp() where tenant = ${literal(tenantId)};
        commit`)
    const moved = await withSession(options, tenantId, from, to, (session) => move(options, session, switchPlacement))
    return { from: from.model, to: to.model, ...moved }
  } catch (error) {
    await held.unsafe('rollback').catch(() => {})
    throw error
  } finally {
    held.release()
  }
}

async function move(
  options: MoveOptions,
  session: Session,
  switchPlacement: () => PromiseLike<unknown>,
): Promise<Pick<MoveReport, 'tables' | 'replayed' | 'blockedMilliseconds'>> {
  const { source, target, relations, targets, alone } = session
  const [here, there] = [literal(placeOf(source)), literal(placeOf(target))]
  // What a move that died between 4 and 5 has left: the control plane says that the tenant is here.
  await tell(source, `delete from ${MOVES}.departed where place = ${here}`)
  await tell(target, `insert into ${MOVES}.departed (place) values (${there}) on conflict do nothing`)
  // Whoever writes from now on notes it; this waits for those who began before, and holds up nobody.
  await tell(source, `select pg_advisory_lock(hashtextextended(${here}, 1))`)
  await tell(source, `delete from ${MOVES}.changes where place = ${here}`)

  await both(session, async () => {
    await copying.deleteAll(target, relations)
    await copying.copyAll(source, target, relations)
    const [row] = await tell<{ given: copying.Given }>(source, `select ${copying.givenBy(relations)} as given`)
    await tell(target, ...copying.advancing(targets, row!.given, alone))
  })
  let replayed = 0
  const follow = async () => {
    const noted = await takeNotes(source, relations)
    await replay(session, noted)
    replayed += countOf(noted)
    return countOf(noted)
  }
  // Each round is shorter than the one before, or the tenant writes faster than it can be copied.
  const catchUp = async () => {
    for (let rounds = 0; rounds < 10 && (await both(session, follow)) > 100; rounds++);
  }
  await catchUp()
  const tables = await both(session, async () => {
    await follow()
    return copying.compare(source, target, relations)
  })
  // What was written during the comparison.
  await catchUp()

  const { gateMilliseconds = 500, gateTries = 20 } = options
  for (let tries = 1; ; tries++) {
    const passed = await throughGate(session, gateMilliseconds, switchPlacement)
    if (passed) return { tables, replayed: replayed + passed.replayed, blockedMilliseconds: passed.blockedMilliseconds }
    if (tries === gateTries) {
      throw new Error(
        `The tenant’s transactions write for longer than ${gateMilliseconds} ms; no moment was found to move it. It stays where it is.`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, gateMilliseconds))
    await catchUp()
  }
}

/** @returns undefined when writes under way did not end in time */
async function throughGate(
  session: Session,
  gateMilliseconds: number,
  switchPlacement: () => PromiseLike<unknown>,
): Promise<{ replayed: number; blockedMilliseconds: number } | undefined> {
  const { source, target, relations, targets, alone } = session
  const [here, there] = [literal(placeOf(source)), literal(placeOf(target))]
  try {
    await beginBoth(session, 'read committed', { lock_timeout: String(gateMilliseconds) })
    const closed = performance.now()
    // From here on the tenant's new writes are refused, also while this waits for the old ones.
    const close = `select pg_advisory_xact_lock(hashtextextended(${here}, 0))`
    const noted = await takeNotes(source, relations, close)
    const advance = copying.advancing(targets, noted.given, alone)
    const fall = `delete from ${MOVES}.departed where place = ${there}`
    await replay(session, noted, ...advance, fall, ...ending(session))
    await tell(source, `insert into ${MOVES}.departed (place) values (${here})`, 'commit')
    await switchPlacement()
    return { replayed: countOf(noted), blockedMilliseconds: performance.now() - closed }
  } catch (error) {
    await rollbackBoth(session)
    if ((error as { code?: unknown }).code === '55P03') return undefined
    throw error
  }
}
