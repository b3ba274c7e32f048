import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { ActionOutcome } from '../../../actions/runner.ts'
import type { ExecutionRow } from './store.ts'

export const problems = defineProblems({
  inexistent_execution: {
    status: 404,
    title: 'The execution does not exist, or was longer ago than executions are kept.',
  },
})

/** What one run of bound actions did, for the table. The commands are not kept: they are the person's data. */
export function execution(
  id: string,
  triggerId: string,
  outcome: ActionOutcome,
  run: { startedAt: Date; endedAt: Date },
): ExecutionRow {
  const at = (milliseconds: number) => new Date(run.startedAt.getTime() + milliseconds).toISOString()
  const last = outcome.logs.length - 1
  const results = outcome.logs.map(({ action, startedAt, endedAt }, index) => ({
    action_name: action,
    started_at: at(startedAt),
    ended_at: at(endedAt),
    // Only the last one that ran can have failed.
    ...(!outcome.ok && index === last ? { error: { id: outcome.reason, msg: outcome.detail } } : {}),
  }))
  return {
    id,
    trigger_id: triggerId,
    status: outcome.ok ? 'final' : 'partial',
    results,
    created_at: run.startedAt,
    updated_at: run.endedAt,
  }
}
