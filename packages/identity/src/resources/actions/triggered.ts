/** Runs what is deployed at a trigger, and writes down what it did. What its commands do is the caller's matter. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyBaseLogger } from 'fastify'
import type { ActionOutcome, ActionRunner, Invocation } from '../../actions/runner.ts'
import type { TriggerId } from '../../actions/triggers.ts'
import type { ConfigurationCache } from '../../configuration-cache.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { LogEntry, TenantLog } from '../../logs/tenant-log.ts'
import { execution } from './executions/rules.ts'
import * as executions from './executions/store.ts'
import { openActionSecrets } from './rules.ts'
import * as actions from './store.ts'

const problems = defineProblems({
  action_failed: { status: 403, title: '{what} was stopped by an error. Reference: {correlationId}' },
})

export interface TriggeredDependencies {
  database: Database
  cache: ConfigurationCache
  secrets: Secrets
  clock: Clock
  runner: ActionRunner
  logger: FastifyBaseLogger
  tenantLog: TenantLog
}

/** An outcome, and the id under which `GET /actions/executions/{id}` knows it. */
export type Ran = ActionOutcome & { executionId: string }

export interface Triggered {
  /**
   * @param event made only when an Action is bound, without `secrets` and `tenant`
   * @param about who it is about, for the tenant log
   * @returns undefined when no Action is bound
   */
  run(
    environment: RequestEnvironment,
    trigger: TriggerId,
    event: () => Record<string, unknown> | Promise<Record<string, unknown>>,
    about: Partial<LogEntry>,
    more?: Pick<Invocation, 'answers' | 'resume'>,
  ): Promise<Ran | undefined>
  isBound(environmentId: string, trigger: TriggerId): Promise<boolean>
  /** For what has happened already: nobody waits for it, and a failure is only written down. */
  later(...given: Parameters<Triggered['run']>): void
  /** Once nothing of that is under way. */
  settled(): Promise<void>
}

/**
 * What nobody may know who is refused by it, except how the failure is found.
 *
 * @param what was stopped, as the beginning of a sentence
 */
export const actionFailed = (correlationId: string, internal: string, what = 'The sign-in') =>
  problems.action_failed({ facts: { what, correlationId }, internal })

/** @throws Problem `action_failed` */
export function requireSuccess(ran: Ran, what?: string): Extract<Ran, { ok: true }> {
  if (ran.ok) return ran
  throw actionFailed(ran.correlationId, `${ran.action}: ${ran.reason}`, what)
}

export function createTriggered(deps: TriggeredDependencies): Triggered {
  const { database, cache, secrets, clock, runner, logger, tenantLog } = deps

  const deployed = async (environmentId: string, trigger: TriggerId) =>
    (await cache.remember(environmentId, ['actions', trigger], async () => {
      const rows = await database.inEnvironment(environmentId, (tx) => actions.deployedFor(tx, trigger))
      return rows.map(({ secrets: sealed, ...action }) => ({
        ...action,
        secrets: openActionSecrets(secrets, environmentId, action.actionId, sealed),
      }))
    })) ?? []

  /** Nobody waits for it: a sign-in is no slower, and does not fail, because of what is written down about it. */
  function keep(environmentId: string, row: executions.ExecutionRow): void {
    database
      .once(environmentId, (tx) => executions.insert(tx, environmentId, row))
      .catch((err: unknown) => logger.warn({ err, environment: environmentId }, 'an execution of Actions was not kept'))
  }

  const running = new Set<Promise<unknown>>()

  const triggered: Triggered = {
    later(...given) {
      const [environment, trigger] = given
      const run = triggered
        .run(...given)
        .catch((err: unknown) => logger.error({ err, environment: environment.id, trigger }, 'Actions did not run'))
        .finally(() => running.delete(run))
      running.add(run)
    },
    async settled() {
      await Promise.all(running)
    },
    isBound: async (environmentId, trigger) => (await deployed(environmentId, trigger)).length > 0,
    async run(environment, trigger, event, about, more = {}) {
      const bound = await deployed(environment.id, trigger)
      if (bound.length === 0) return undefined
      const seen = { tenant: { id: environment.id }, ...(await event()) }
      const startedAt = clock.now()
      const outcome = await runner.run({
        trigger,
        environmentId: environment.id,
        actions: bound,
        event: seen,
        depth: environment.actionsDeep,
        ...more,
      })
      const executionId = outcome.ok ? newId.uuid() : outcome.correlationId
      keep(environment.id, execution(executionId, trigger, outcome, { startedAt, endedAt: clock.now() }))
      for (const { action, lines } of outcome.logs) {
        if (lines.length > 0)
          logger.info({ environment: environment.id, action, lines }, 'an Action wrote to its console')
      }
      if (!outcome.ok) {
        const { action, reason, detail, correlationId } = outcome
        const facts = { action, reason, detail, correlationId }
        logger.warn({ environment: environment.id, trigger, ...facts }, 'an Action failed')
        tenantLog.add(environment.id, {
          type: 'actions_execution_failed',
          hostname: new URL(environment.origin).host,
          ...about,
          details: { trigger, ...facts },
        })
      }
      return { ...outcome, executionId }
    },
  }
  return triggered
}
