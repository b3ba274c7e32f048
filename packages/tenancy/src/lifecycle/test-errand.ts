/**
 * A saga for the tests of the engine, with effects that can be counted: each step leaves a row in `effects`, as a service
 * with idempotent operations would, and a row in `records` by its transaction. Run as a program, it takes one errand until it is killed.
 */
import { pathToFileURL } from 'node:url'
import type { Sql, TransactionSql } from 'postgres'
import { postgres } from '../postgres/driver.ts'
import { StepRefused } from './refusal.ts'
import { createLifecycle, type SagaDefinition } from './saga.ts'
import { killing } from './test-killed.ts'

export const errandTables = `
  create table effects (tenant text, step text, primary key (tenant, step));
  create table records (tenant text, step text, primary key (tenant, step));`

export interface ErrandInput {
  refuseAt?: string
}

const NAMES = ['reserve', 'build', 'open'] as const

export const errand = (world: Sql): SagaDefinition<ErrandInput> => {
  const [first, ...rest] = NAMES.map((name) => ({
    name,
    ...(name === 'build' ? { event: 'provisionSuccess' as const } : {}),
    async run({ tenantId, input }: { tenantId: string; input: ErrandInput }) {
      await world`insert into effects values (${tenantId}, ${name}) on conflict do nothing`
      if (input.refuseAt === name) throw new StepRefused('no_luck', 'No luck.')
      return { [name]: `made by ${name}` }
    },
    async record(tx: TransactionSql, { tenantId }: { tenantId: string }) {
      // Not idempotent on purpose: the engine owes it exactly once.
      await tx`insert into records values (${tenantId}, ${name})`
    },
    async compensate({ tenantId }: { tenantId: string }) {
      await world`delete from effects where tenant = ${tenantId} and step = ${name}`
    },
    async unrecord(tx: TransactionSql, { tenantId }: { tenantId: string }) {
      const gone = await tx`delete from records where tenant = ${tenantId} and step = ${name}`
      if (gone.count !== 1) throw new Error(`${name} was taken back twice, or had never been recorded.`)
    },
  }))
  return {
    name: 'errand',
    steps: [first!, ...rest],
    events: { begins: 'onboardingRequest', ends: 'onboardingSuccess', fails: 'onboardingFailure' },
    detail: ({ input }) => ({ ...input }),
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { schema, key, input, point } = JSON.parse(process.argv[2] ?? '{}')
  const { application: connection } = JSON.parse(process.env.TENANTRY_TEST_DATABASE ?? '{}')
  const sql = postgres(connection, { max: 2, connection: { search_path: schema } }) as unknown as Sql
  const lifecycle = createLifecycle({ sql, schema, sagas: [killing(errand(sql), point)], leaseSeconds: 3 })
  await lifecycle.run({ saga: 'errand', key, input })
  await sql.end()
}
