/** The rows of sagas. Time is the database's, so that processes with wrong clocks agree on who holds a lease. */
import type { Sql, TransactionSql } from 'postgres'

export type SagaState = 'running' | 'compensating' | 'done' | 'failed'

export interface Failure {
  code: string
  message: string
  status: number
  /** The step that failed. What it did may be half done, so it is compensated too; what it would have recorded is not there. */
  step: string
}

export interface Saga<Input = Record<string, unknown>> {
  id: string
  /** The name of its definition. */
  saga: string
  tenantId: string
  input: Input
  memory: Record<string, unknown>
  state: SagaState
  /** The next step to run or to compensate; null when it is over. */
  step: string | null
  failure: Failure | null
  attempts: number
}

export interface SagaRow extends Saga {
  requestHash: Buffer
}

export interface PastSaga extends Saga {
  startedAt: Date
  /** Null while it is under way. */
  endedAt: Date | null
}

const columns = (sql: Sql | TransactionSql) => sql`
  id, saga, tenant as "tenantId", request_hash as "requestHash", input, memory, state, step, failure, attempts`

const unfinished = (sql: Sql) => sql`state in ('running', 'compensating')`
const seconds = (sql: Sql | TransactionSql, count: number) => sql`${count} * interval '1 second'`

export const get = async (sql: Sql, schema: string, id: string): Promise<SagaRow | undefined> =>
  (await sql<SagaRow[]>`select ${columns(sql)} from ${sql(schema)}.sagas where id = ${id}`)[0]

export interface NewSaga {
  id: string
  saga: string
  tenantId: string
  keyScope: string
  keyHash: Buffer
  requestHash: Buffer
  input: Record<string, unknown>
  step: string
}

/** @returns false when the key has been used */
export const insert = async (tx: TransactionSql, schema: string, saga: NewSaga): Promise<boolean> =>
  (
    await tx`
      insert into ${tx(schema)}.sagas (id, saga, tenant, key_scope, key_hash, request_hash, input, step)
      values (${saga.id}, ${saga.saga}, ${saga.tenantId}, ${saga.keyScope}, ${saga.keyHash}, ${saga.requestHash},
              ${tx.json(saga.input as never)}, ${saga.step})
      on conflict (saga, key_scope, key_hash) do nothing`
  ).count === 1

export const findByKey = async (
  sql: Sql,
  schema: string,
  { saga, keyScope, keyHash }: Pick<NewSaga, 'saga' | 'keyScope' | 'keyHash'>,
): Promise<SagaRow | undefined> =>
  (
    await sql<SagaRow[]>`
      select ${columns(sql)} from ${sql(schema)}.sagas
      where saga = ${saga} and key_scope = ${keyScope} and key_hash = ${keyHash}`
  )[0]

/** Takes the right to advance it. @returns undefined while another holds it, or when it is over */
export const acquire = async (
  sql: Sql,
  schema: string,
  id: string,
  lease: string,
  leaseSeconds: number,
): Promise<SagaRow | undefined> =>
  (
    await sql<SagaRow[]>`
      update ${sql(schema)}.sagas set lease = ${lease}, lease_until = clock_timestamp() + ${seconds(sql, leaseSeconds)}
      where id = ${id} and ${unfinished(sql)} and (lease_until is null or lease_until <= clock_timestamp())
      returning ${columns(sql)}`
  )[0]

/** @returns false when the lease was lost */
export const renew = async (sql: Sql, schema: string, id: string, lease: string, leaseSeconds: number) =>
  (
    await sql`
      update ${sql(schema)}.sagas set lease_until = clock_timestamp() + ${seconds(sql, leaseSeconds)}
      where id = ${id} and lease = ${lease}`
  ).count === 1

/** Locks the row for a transition. @returns false when the lease was lost: somebody else goes on */
export const hold = async (tx: TransactionSql, schema: string, id: string, lease: string): Promise<boolean> =>
  (await tx`select from ${tx(schema)}.sagas where id = ${id} and lease = ${lease} for update`).count === 1

export type Transition = Pick<Saga, 'state' | 'step' | 'failure' | 'memory'>

export async function move(
  tx: TransactionSql,
  schema: string,
  id: string,
  { state, step, failure, memory }: Transition,
  leaseSeconds: number,
): Promise<void> {
  await tx`
    update ${tx(schema)}.sagas set state = ${state}, step = ${step}, attempts = 0,
      failure = ${failure ? tx.json({ ...failure }) : null}, memory = ${tx.json(memory as never)},
      lease_until = clock_timestamp() + ${seconds(tx, leaseSeconds)},
      ended_at = ${step === null ? tx`clock_timestamp()` : tx`null`}
    where id = ${id}`
}

/** @param failed whether the wait counts as a try */
export async function postpone(
  sql: Sql,
  schema: string,
  id: string,
  lease: string,
  delaySeconds: number,
  failed: boolean,
): Promise<void> {
  await sql`
    update ${sql(schema)}.sagas set attempts = attempts + ${failed ? 1 : 0}, lease = null, lease_until = null,
      attempt_after = clock_timestamp() + ${seconds(sql, delaySeconds)}
    where id = ${id} and lease = ${lease}`
}

export async function release(sql: Sql, schema: string, id: string, lease: string): Promise<void> {
  await sql`
    update ${sql(schema)}.sagas set lease = null, lease_until = null where id = ${id} and lease = ${lease}`
}

/** Of a tenant, the newest first. */
export const list = (sql: Sql, schema: string, tenantId: string, limit: number): Promise<PastSaga[]> => sql<PastSaga[]>`
  select ${columns(sql)}, created_at as "startedAt", ended_at as "endedAt" from ${sql(schema)}.sagas
  where tenant = ${tenantId} order by created_at desc limit ${limit}`

export const listDue = async (sql: Sql, schema: string, limit: number): Promise<string[]> => {
  const rows = await sql<{ id: string }[]>`
    select id from ${sql(schema)}.sagas
    where ${unfinished(sql)} and attempt_after <= clock_timestamp()
      and (lease_until is null or lease_until <= clock_timestamp())
    order by attempt_after limit ${limit}`
  return rows.map(({ id }) => id)
}
