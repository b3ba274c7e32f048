/**
 * What is done to a tenant in several steps, as a row that moves from step to step. A step is recorded only after it
 * succeeded, in one transaction with its event; so a process that dies anywhere leaves a row from which any other goes on.
 *
 *   running ── step … step ──► done
 *      │ a refusal, or one failure too many
 *      ▼
 *   compensating ── the failed step, then those before it, backwards ──► failed
 *
 * A step's `run` and `compensate` may be called again after a crash, and by a process that lost its lease without noticing:
 * both must be idempotent. `record` and `unrecord` belong to the recording transaction and happen exactly once. From a
 * step with `irreversible` on there is no way back: what fails there is tried until it succeeds.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { Sql, TransactionSql } from 'postgres'
import { inScope } from '../postgres/transaction.ts'
import { canonical } from './canonical.ts'
import type { EventName } from './events.ts'
import { emit } from './outbox.ts'
import { LifecycleRefused, NotYet, StepRefused } from './refusal.ts'
import * as store from './store.ts'
import { newTenantId } from './tenant-id.ts'

export type { Failure, PastSaga, Saga, SagaState } from './store.ts'

export interface StepContext<Input> extends Readonly<store.Saga<Input>> {
  /** The same at every try of this step: for services that take an idempotency key. */
  readonly idempotencyKey: string
  /** Aborted when another process has taken over: stop, nothing that is done now will be recorded. */
  readonly signal: AbortSignal
}

/** What a step found out, kept for later ones. JSON. */
// biome-ignore lint/suspicious/noConfusingVoidType: a step that finds out nothing returns nothing.
export type Findings = Record<string, unknown> | undefined | void

export interface Step<Input> {
  name: string
  /** The effect in the world. Rejects with `StepRefused` for what no further try would change. */
  run?(at: StepContext<Input>): Promise<Findings>
  /** An effect in the control plane's own database, in the transaction that records the step. */
  record?(tx: TransactionSql, at: StepContext<Input>): Promise<Findings>
  /** Takes back what `run` did: wholly, partly or not at all. */
  compensate?(at: StepContext<Input>): Promise<void>
  /** Takes back what `record` did. */
  unrecord?(tx: TransactionSql, at: StepContext<Input>): Promise<void>
  /** Written in the recording transaction. */
  event?: EventName
  irreversible?: boolean
}

export interface SagaDefinition<Input = Record<string, unknown>> {
  name: string
  /** In the transaction that creates the saga; what it throws keeps the saga from being. */
  begin?(tx: TransactionSql, saga: store.Saga<Input>): Promise<void>
  steps: readonly [Step<Input>, ...Step<Input>[]]
  /** In the transaction that ends a saga whose steps have all been compensated. */
  failed?(tx: TransactionSql, saga: store.Saga<Input>): Promise<void>
  /** Events at the beginning, after the last step, and after the last compensation. */
  events?: { begins?: EventName; ends?: EventName; fails?: EventName }
  /** What its events tell, besides the tenant and, of failures, the code. */
  detail?(saga: store.Saga<Input>): Record<string, unknown>
}

export interface LifecycleOptions {
  /** A pool of the control plane's role. */
  sql: Sql
  /** Where `migrateLifecycle` has put the tables. */
  schema: string
  // biome-ignore lint/suspicious/noExplicitAny: sagas of different inputs stand in one list.
  sagas: readonly SagaDefinition<any>[]
  /** Without a sign of life for so long, another process takes over. A step that takes longer is no matter. */
  leaseSeconds?: number
  /** How often a step is tried before the saga is compensated. */
  maxAttempts?: number
  /** 5 s, 10 s, 20 s … up to ten minutes if left out. */
  retryDelaySeconds?: (attempts: number) => number
  /** A step failed for now. */
  onError?: (error: unknown, saga: store.Saga) => void
}

export interface StartRequest {
  saga: string
  /** Chosen by the caller, 16 to 128 visible ASCII characters; the same for a repetition of the same request. */
  key: string
  /** Left out for a tenant that is to be: it gets a new id, once. */
  tenantId?: string
  /** JSON. */
  input: Record<string, unknown>
}

export interface Lifecycle {
  /**
   * Writes a saga down, without taking a step. A repetition returns the first one as it is now.
   * @throws LifecycleRefused `key_malformed`, `key_reused` for another request, `tenant_busy` while another saga of the tenant runs,
   * and what the saga's own `begin` throws
   */
  start(request: StartRequest): Promise<store.Saga>
  /** Takes a saga as far as it goes. @returns it as it is then; undefined while another process works on it */
  advance(id: string): Promise<store.Saga | undefined>
  get(id: string): Promise<store.Saga | undefined>
  /** What is and was done to a tenant, the newest first; 20 if no `limit` is given. */
  history(tenantId: string, options?: { limit?: number }): Promise<store.PastSaga[]>
  /**
   * `start`, then `advance` or wait for who does.
   * @returns it, over or, when a step has failed for now or `patienceSeconds` (15) have passed, unfinished: it goes on by `resume`
   */
  run(request: StartRequest, options?: { patienceSeconds?: number }): Promise<store.Saga>
  /** Goes on with what crashes and failures left behind; call it every few seconds. @returns how many it went on with */
  resume(): Promise<number>
}

/**
 * @example
 * const onboarding: SagaDefinition<{ company: string }> = {
 *   name: 'onboarding',
 *   steps: [
 *     { name: 'chooseName', run: async ({ input }) => ({ name: input.company.toLowerCase().replaceAll(' ', '-') }) },
 *     { name: 'sendWelcome', run: async ({ memory, idempotencyKey }) => mail.send('welcome', memory.name, idempotencyKey) },
 *   ],
 * }
 * const lifecycle = createLifecycle({ sql: control, schema: 'control', sagas: [onboarding] })
 * await lifecycle.run({ saga: 'onboarding', key: 'sign-up-of-blue-kite', input: { company: 'Blue Kite' } })
 * // → { state: 'done', memory: { name: 'blue-kite' }, … }
 * setInterval(() => lifecycle.resume(), 5_000) // what a crash has left behind
 */
export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { sql, schema, leaseSeconds = 60, maxAttempts = 12 } = options
  const { retryDelaySeconds = (attempts) => Math.min(600, 5 * 2 ** (attempts - 1)) } = options
  const definitions = new Map(options.sagas.map((definition) => [definition.name, definition]))

  const definitionOf = (name: string): SagaDefinition => {
    const found = definitions.get(name)
    if (!found) throw new Error(`There is no saga “${name}” here. Give its definition to createLifecycle.`)
    return found as SagaDefinition
  }
  const tell = async (tx: TransactionSql, saga: store.Saga, name: EventName | undefined, moment: string) => {
    if (!name) return
    const failure = saga.failure ? { code: saga.failure.code, step: saga.failure.step } : {}
    const detail = { tenantId: saga.tenantId, sagaId: saga.id, ...definitionOf(saga.saga).detail?.(saga), ...failure }
    await emit(tx, schema, { tenantId: saga.tenantId, name, detail, cause: `${saga.id} ${moment}` })
  }

  async function start({ saga: name, key, tenantId, input }: StartRequest): Promise<store.Saga> {
    if (!/^[\x21-\x7e]{16,128}$/.test(key)) {
      throw new LifecycleRefused('key_malformed', 'The idempotency key is not 16 to 128 visible ASCII characters.')
    }
    const definition = definitionOf(name)
    const [keyHash, requestHash] = [sha256(key), sha256(canonical(input))]
    const identified = { saga: name, keyScope: tenantId ?? '', keyHash }
    const created: store.NewSaga = {
      ...identified,
      id: randomUUID(),
      tenantId: tenantId ?? newTenantId(),
      requestHash,
      input,
      step: definition.steps[0].name,
    }
    let found = await store.findByKey(sql, schema, identified)
    if (!found) {
      const inserting = inScope(sql, {}, async (tx) => {
        if (!(await store.insert(tx, schema, created))) return
        const saga: store.Saga = { ...created, memory: {}, state: 'running', failure: null, attempts: 0 }
        await definition.begin?.(tx, saga)
        await tell(tx, saga, definition.events?.begins, 'begin')
      })
      const busy = await inserting.then(() => false, isOneTooMany)
      found = await store.findByKey(sql, schema, identified)
      // Not before it was looked for: of two with one key that insert at the same moment, PostgreSQL lets the second fail at
      // this index too, although its own `on conflict` names another.
      if (!found && busy) {
        const message = 'Something else is being done to this tenant. Try again when it is over.'
        throw new LifecycleRefused('tenant_busy', message)
      }
    }
    if (!found) throw new Error('A saga vanished.')
    if (!found.requestHash.equals(requestHash)) {
      throw new LifecycleRefused('key_reused', 'This idempotency key was used for another request. Use a new one.')
    }
    return found
  }

  async function advance(id: string): Promise<store.Saga | undefined> {
    const lease = randomUUID()
    let saga: store.Saga | undefined = await store.acquire(sql, schema, id, lease, leaseSeconds)
    if (!saga) return undefined
    while (saga.step !== null) {
      const next: store.Saga | 'rests' | 'lost' = await pass(saga, lease)
      if (next === 'lost') return undefined
      if (next === 'rests') return store.get(sql, schema, id)
      saga = next
    }
    await store.release(sql, schema, id, lease)
    return saga
  }

  /** One step, there or back. */
  async function pass(saga: store.Saga, lease: string): Promise<store.Saga | 'rests' | 'lost'> {
    const definition = definitionOf(saga.saga)
    const index = definition.steps.findIndex(({ name }) => name === saga.step)
    const step = definition.steps[index]
    if (!step)
      throw new Error(`The saga “${saga.saga}” has no step “${saga.step}” any more; put it back to end what has begun.`)
    const back = saga.state === 'compensating'
    const heart = heartbeat(saga.id, lease)
    const at = { ...saga, idempotencyKey: `${saga.id}:${step.name}`, signal: heart.signal }
    try {
      const found = (back ? await step.compensate?.(at) : await step.run?.(at)) ?? {}
      if (heart.signal.aborted) return 'lost'
      const memory = { ...saga.memory, ...found }
      return await transition(saga, lease, async (tx) => {
        if (back) {
          if (saga.failure?.step !== step.name) await step.unrecord?.(tx, { ...at, memory })
          const before = definition.steps[index - 1]
          if (before) return { ...saga, step: before.name }
          const failed: store.Saga = { ...saga, state: 'failed', step: null }
          await definition.failed?.(tx, failed)
          await tell(tx, failed, definition.events?.fails, 'fail')
          return failed
        }
        const recorded = (await step.record?.(tx, { ...at, memory })) ?? {}
        const after = definition.steps[index + 1]
        const done: store.Saga = {
          ...saga,
          memory: { ...memory, ...recorded },
          state: after ? 'running' : 'done',
          step: after?.name ?? null,
        }
        await tell(tx, done, step.event, `step ${step.name}`)
        if (!after) await tell(tx, done, definition.events?.ends, 'end')
        return done
      })
    } catch (error) {
      if (error instanceof NotYet) {
        await store.postpone(sql, schema, saga.id, lease, error.seconds, false)
        return 'rests'
      }
      options.onError?.(error, saga)
      const reversible = !back && !definition.steps.slice(0, index + 1).some(({ irreversible }) => irreversible)
      const failure = reversible ? finalFailure(error, saga, step.name) : undefined
      if (failure) return await transition(saga, lease, async () => ({ ...saga, state: 'compensating', failure }))
      await store.postpone(sql, schema, saga.id, lease, retryDelaySeconds(saga.attempts + 1), true)
      return 'rests'
    } finally {
      heart.stop()
    }
  }

  async function transition(
    saga: store.Saga,
    lease: string,
    work: (tx: TransactionSql) => Promise<store.Saga>,
  ): Promise<store.Saga | 'lost'> {
    return inScope(sql, {}, async (tx) => {
      if (!(await store.hold(tx, schema, saga.id, lease))) return 'lost' as const
      const next = { ...(await work(tx)), attempts: 0 }
      await store.move(tx, schema, saga.id, next, leaseSeconds)
      return next
    })
  }

  function finalFailure(error: unknown, saga: store.Saga, step: string): store.Failure | undefined {
    if (error instanceof StepRefused) {
      return { code: error.code, message: error.message, status: error.status, step }
    }
    if (saga.attempts + 1 < maxAttempts) return undefined
    const message = 'It could not be completed and has been undone. Try again.'
    return { code: 'attempts_exhausted', message, status: 503, step }
  }

  function heartbeat(id: string, lease: string): { signal: AbortSignal; stop(): void } {
    const controller = new AbortController()
    const beat = () =>
      store.renew(sql, schema, id, lease, leaseSeconds).then(
        (held) => held || controller.abort(),
        // The database may be back before the lease ends; if not, the transition finds out.
        () => {},
      )
    const timer = setInterval(beat, (leaseSeconds * 1000) / 3)
    timer.unref()
    return { signal: controller.signal, stop: () => clearInterval(timer) }
  }

  async function run(request: StartRequest, { patienceSeconds = 15 } = {}): Promise<store.Saga> {
    let saga = await start(request)
    const deadline = performance.now() + patienceSeconds * 1000
    while (saga.step !== null) {
      const advanced = await advance(saga.id)
      if (advanced) return advanced
      saga = (await store.get(sql, schema, saga.id)) ?? saga
      if (saga.step === null || performance.now() > deadline) return saga
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return saga
  }

  return {
    start,
    advance,
    run,
    get: (id) => store.get(sql, schema, id),
    history: (tenantId, { limit = 20 } = {}) => store.list(sql, schema, tenantId, limit),
    async resume() {
      const due = await store.listDue(sql, schema, 20)
      for (const id of due) {
        await advance(id).catch(async (error: unknown) => {
          const saga = await store.get(sql, schema, id)
          if (saga) options.onError?.(error, saga)
        })
      }
      return due.length
    },
  }
}

/** @throws every other error */
function isOneTooMany(error: { code?: unknown; constraint_name?: unknown }): true {
  if (error.code === '23505' && error.constraint_name === 'sagas_one_per_tenant') return true
  throw error
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
