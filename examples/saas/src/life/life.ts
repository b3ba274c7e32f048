/**
 * The control plane: what is done to a tenant from its registration to its end, as sagas of the kit, and the work behind
 * them, which goes on after crashes and wherever another process left off.
 */
import {
  clearDepartures,
  clearExports,
  createLifecycle,
  type DispatchOptions,
  dispatchEvents,
  findTenant,
  type Lifecycle,
  LifecycleRefused,
  type StartRequest,
  StepRefused,
  startDispatcher,
  type Tenant,
  type TenantLifeOptions,
  tenantSagas,
  withoutIdentity,
} from '@tenantry/tenancy'
import type { Database } from '../database/database.ts'
import type { Logger } from '../http.ts'
import { WINDOW_MILLISECONDS } from '../registration/rules.ts'
import * as registrations from '../registration/store.ts'
import { tierOf } from '../tenants/tiers.ts'
import * as store from './store.ts'

export interface LifeSettings {
  /** After so many days an invitation into a new company is taken as unopened for ever, and the company is taken away. */
  unopenedDays: number
  /** How long exports can be had. */
  exportDays: number
}

type Ports = 'identity' | 'provisioning' | 'setTier' | 'admitTier' | 'deleteStorage' | 'exportSink'

export interface LifeDependencies extends LifeSettings, Pick<TenantLifeOptions, Ports> {
  database: Database
  logger: Logger
  now: () => Date
}

export interface Life extends Lifecycle {
  /** What the control plane knows of a tenant. */
  of(tenantId: string): Promise<Tenant | undefined>
  /** Begins a saga and answers at once with its id; whoever works here goes on with it. */
  begin(request: StartRequest): Promise<string>
  /** Goes on with what crashes left behind, tells events that wait, and takes away what is past its time. */
  upkeep(): Promise<void>
  /** Does all of this by itself from now on. */
  work(): void
  close(): Promise<void>
}

const RESUME_MILLISECONDS = 5_000
const TIDY_MILLISECONDS = 60_000
const DAY_SECONDS = 86_400

export function openLife(dependencies: LifeDependencies): Life {
  const { database, logger, now, unopenedDays, exportDays } = dependencies
  const { owner, controlSchema, schema, openOwner } = database
  const options: TenantLifeOptions = {
    ...dependencies,
    control: owner,
    controlSchema,
    schema,
    openOwner: (placement) => openOwner(placement.model === 'silo' ? placement.database : undefined),
    modelOf: (tier) => tierOf(tier).model,
  }
  const lifecycle = createLifecycle({
    sql: owner,
    schema: controlSchema,
    sagas: tenantSagas(options),
    onError(error, { saga, step, tenantId }) {
      // What was refused is told to whoever asked.
      if (!(error instanceof StepRefused)) logger.error({ error, saga, step, tenantId }, 'a step failed for now')
    },
  })
  const outbox: DispatchOptions = {
    sql: owner,
    schema: controlSchema,
    deliver: async ({ name, source, tenantId, detail }) =>
      logger.info({ name, source, tenantId, detail }, 'tenant event'),
  }

  async function tidy(): Promise<void> {
    await clearDepartures(options)
    await clearExports(options, { olderThanSeconds: exportDays * DAY_SECONDS })
    await registrations.forget(database.sql, new Date(now().getTime() - WINDOW_MILLISECONDS))
    const before = new Date(now().getTime() - unopenedDays * DAY_SECONDS * 1000)
    for (const tenantId of await store.listUnopened(owner, controlSchema, before)) {
      const request = { saga: 'offboard', key: 'nobody-has-ever-come', tenantId, input: {} }
      await lifecycle.run(request).catch((error: unknown) => {
        // Somebody comes at this very moment.
        if (!(error instanceof LifecycleRefused)) throw error
      })
    }
  }

  const running: (() => Promise<void> | void)[] = []
  const failing = (what: string) => (error: unknown) => logger.error({ error }, `${what} failed`)
  const every = (milliseconds: number, what: string, task: () => Promise<unknown>) => {
    let under: Promise<unknown> | undefined
    const turn = () => {
      under ??= task()
        .catch(failing(what))
        .finally(() => {
          under = undefined
        })
    }
    turn()
    const timer = setInterval(turn, milliseconds)
    timer.unref()
    running.push(async () => {
      clearInterval(timer)
      await under
    })
  }
  const begun = new Set<Promise<unknown>>()

  return {
    ...lifecycle,
    of: (tenantId) => findTenant(owner, controlSchema, tenantId),
    async begin(request) {
      const { id } = await lifecycle.start(request)
      // A function is frozen between two calls, with its locks held: there the upkeep does it.
      if (running.length === 0) return id
      const advancing: Promise<unknown> = withoutIdentity(() => lifecycle.advance(id))
        .catch(failing('advancing'))
        .finally(() => begun.delete(advancing))
      begun.add(advancing)
      return id
    },
    async upkeep() {
      await lifecycle.resume()
      await dispatchEvents(outbox)
      await tidy()
    },
    work() {
      every(RESUME_MILLISECONDS, 'resuming', lifecycle.resume)
      every(TIDY_MILLISECONDS, 'tidying up', tidy)
      const dispatcher = startDispatcher({ ...outbox, onFailure: failing('telling events') })
      running.push(() => dispatcher.stop())
    },
    async close() {
      for (const stop of running) await stop()
      await Promise.all(begun)
    },
  }
}
