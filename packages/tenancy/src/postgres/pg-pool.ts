/**
 * node-postgres with a scope. Every ORM that works on a `pg.Pool` says BEGIN on a connection that it took from there;
 * `tenantPool` sends the settings of the scope along with that BEGIN, in one message, so that they cost no round trip and
 * the ORM keeps its own transactions. It also minds what a pool of connections can carry over from one tenant to the next:
 *
 * - A connection goes back only when the server has said that no transaction is open on it; otherwise it is closed.
 * - Whoever has given a connection back cannot speak on it any more: by then it may serve somebody else.
 * - What outlives a transaction and holds rows (temporary tables, held cursors) goes with the COMMIT.
 * - COMMIT of a transaction that has failed is answered with ROLLBACK, and here that is an error: nothing was stored.
 */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import type { Pool, PoolClient } from 'pg'
import { withoutIdentity } from '../identity/context.ts'
import { settingsText } from './quoted.ts'
import { COMMIT_LEAVING_NOTHING, checkScope, isConnectionLost, type Scope } from './transaction.ts'

/** A scope on its way to a BEGIN. */
export interface Carried {
  settings: Scope
  /** Set once a BEGIN has taken the settings along. */
  taken: boolean
  /** Why the connection could not begin, if it was lost; ORMs tell that in words of their own. */
  lost?: Error
}

const carried = new AsyncLocalStorage<Carried>()
const wrapped = new WeakSet<object>()

/**
 * Runs `begin`, in which an ORM takes a connection from a `tenantPool` and begins a transaction on it. The transaction
 * carries the settings; `begin` is told how to make sure of that before it does anything.
 *
 * @throws in `assertTaken` when the BEGIN did not come by: the ORM's pool is not a `tenantPool`
 */
export async function carrying<T>(settings: Scope, begin: (assertTaken: () => void) => Promise<T>): Promise<T> {
  checkScope(settings)
  const scope: Carried = { settings, taken: false }
  const assertTaken = () => {
    if (scope.taken) return
    throw new Error(
      'The transaction has no tenant, since its pool knows of none. Wrap it where the ORM is given it: tenantPool(pool), from @tenantry/tenancy/pg.',
    )
  }
  return carried
    .run(scope, () => begin(assertTaken))
    .catch((error: unknown) => {
      throw scope.lost ?? error
    })
}

/**
 * The same pool, whose transactions carry the tenant while inside `inTenant` and nobody elsewhere. Give it to the ORM in
 * place of the pool.
 *
 * @example
 * import { PrismaPg } from '@prisma/adapter-pg'
 * import { Kysely, PostgresDialect } from 'kysely'
 * import { Pool } from 'pg'
 * import { PrismaClient } from './generated/prisma/client.ts'
 *
 * const pool = tenantPool(new Pool({ connectionString: url }))
 * const prisma = new PrismaClient({ adapter: new PrismaPg(pool) })
 * const kysely = new Kysely<{ items: { name: string } }>({ dialect: new PostgresDialect({ pool }) })
 * await prisma.item.findMany() // → []
 * await kysely.selectFrom('items').select('name').execute() // → []
 */
export function tenantPool<P extends Pool>(pool: P): P {
  if (wrapped.has(pool)) return pool
  const connect = (callback?: (error: Error | undefined, client?: PoolClient, release?: unknown) => void) => {
    const lent = checkOut(pool, carried.getStore())
    if (!callback) return lent
    lent.then(
      (client) => callback(undefined, client, client.release),
      (error: Error) => callback(error, undefined, () => {}),
    )
  }
  const proxy = new Proxy(pool, {
    get: (target, key) => (key === 'connect' ? connect : memberOf(target, key)),
  })
  wrapped.add(proxy)
  return proxy
}

/** A connection of the pool whose BEGIN carries the settings, if there are any. */
export async function checkOut(pool: Pool, scope: Carried | undefined): Promise<PoolClient> {
  return lend(await asNobody(() => pool.connect()), scope)
}

/** A connection outlives whoever opened it. What its socket calls by itself must not run as him, for others. */
export const asNobody = <T>(work: () => T): T => carried.exit(() => withoutIdentity(work))
/** What is called with an answer runs as whoever asked. */
const asAsked = (argument: unknown): unknown =>
  typeof argument === 'function' ? AsyncResource.bind(argument as () => void) : argument

function lend(client: PoolClient, scope: Carried | undefined): PoolClient {
  let isReturned = false
  let broken: Error | undefined
  // A connection that dies between two statements says so here, and without a listener the process would end.
  const onError = (error: Error) => {
    broken ??= error
  }
  client.on('error', onError)

  const query = (first: unknown, ...others: unknown[]) => {
    const rest = others.map(asAsked)
    if (isReturned) {
      const late = new Error('This transaction is over; its connection may serve another tenant by now.')
      const callback = rest.find((argument) => typeof argument === 'function') as ((error: Error) => void) | undefined
      return callback ? process.nextTick(callback, late) : Promise.reject(late)
    }
    const text = textOf(first)
    const send = client.query.bind(client) as (...args: unknown[]) => unknown
    if (BEGIN.test(text) && scope) {
      scope.taken = true
      const answer = send(withText(first, `${text.replace(/;\s*$/, '')}; ${settingsText(scope.settings)}`), ...rest)
      // Two statements have two results, and who said BEGIN expects one.
      return answer instanceof Promise
        ? answer.then(
            (results: unknown[]) => results[0],
            (error: Error) => {
              if (isConnectionLost(error)) scope.lost = error
              throw error
            },
          )
        : answer
    }
    if (!COMMIT.test(text) || rest.some((argument) => typeof argument === 'function')) return send(first, ...rest)
    if (!scope?.taken) return (send(first, ...rest) as Promise<Result>).then(refuseRollback)
    const answer = send(withText(first, COMMIT_LEAVING_NOTHING), ...rest) as Promise<Result[]>
    return answer.then(([committed]) => refuseRollback(committed!))
  }
  const release = (error?: Error | boolean) => {
    if (isReturned) throw new Error('This connection has been given back already.')
    isReturned = true
    const unknown = client.getTransactionStatus() !== 'I'
    // The pool listens again, and to what comes of closing it, before this one stops.
    asNobody(() => client.release(error || broken || unknown))
    client.removeListener('error', onError)
  }
  const own: Record<PropertyKey, unknown> = { query, release }
  return new Proxy(client, { get: (target, key) => (Object.hasOwn(own, key) ? own[key] : memberOf(target, key)) })
}

const BEGIN = /^\s*(begin|start\s+transaction)\b[^;]*;?\s*$/i
const COMMIT = /^\s*(commit|end)\s*;?\s*$/i

const textOf = (query: unknown): string => {
  const text = typeof query === 'object' && query !== null ? (query as { text?: unknown }).text : query
  return typeof text === 'string' ? text : ''
}

/** Without its name: two statements cannot be prepared as one. */
const withText = (query: unknown, text: string): unknown =>
  typeof query === 'object' && query !== null ? { ...query, text, name: undefined } : text

interface Result {
  command?: string
}

function refuseRollback(result: Result): unknown {
  if (result.command !== 'ROLLBACK') return result
  throw new Error(
    'Nothing was stored: a statement of this transaction had failed, so PostgreSQL answered COMMIT with ROLLBACK. Let the error of the statement pass, or run it in a savepoint.',
  )
}

/** Methods stay the object’s own: a pool and a client keep their state in members that they assign. */
function memberOf(target: object, key: PropertyKey): unknown {
  const member = Reflect.get(target, key) as unknown
  return typeof member === 'function' && key !== 'constructor' ? member.bind(target) : member
}
