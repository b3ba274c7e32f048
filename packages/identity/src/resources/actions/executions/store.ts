import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'

export interface ExecutionRow {
  id: string
  trigger_id: string
  status: 'final' | 'partial'
  results: { action_name: string; started_at: string; ended_at: string; error?: { id: string; msg: string } }[]
  created_at: Date
  updated_at: Date
}

export const insert = (tx: Tx, environmentId: string, row: ExecutionRow) => tx<never[]>`
  insert into action_executions ${tx({
    environment_id: environmentId,
    ...row,
    results: tx.json(row.results as unknown as JSONValue),
  })}`

export async function find(tx: Tx, id: string): Promise<ExecutionRow | undefined> {
  const [row] = await tx<ExecutionRow[]>`
    select id, trigger_id, status, results, created_at, updated_at from action_executions where id = ${id}`
  return row
}
