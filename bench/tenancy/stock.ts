/** Items of many tenants in one protected table, and what a piece of work costs there. */
import { postgres } from '@tenantry/tenancy/driver'
import type { Sql } from 'postgres'
import { databaseCpu } from '../identity/database-cpu.ts'
import { openScratchDatabase } from '../identity/scratch-database.ts'

export const ROUNDS = 15
const ITEMS = 20

export const tenantIdOf = (n: number): string => `tenant${String(n).padStart(18, '0')}`

export interface Stock {
  sql: Sql
  url: string
  /** Of the tables' owner. */
  ownerUrl: string
  directory: string
  close(): Promise<void>
}

/** @param tenants how many; each has as many items */
export async function openStock(tenants: number): Promise<Stock> {
  const scratch = await openScratchDatabase({ transport: 'tcp' })
  const owner = postgres(scratch.urls.owner, { max: 1, onnotice: () => {} }) as unknown as Sql
  await owner.unsafe(`
    create table stock (tenant_id text not null, id int not null, name text not null, primary key (tenant_id, id));
    insert into stock select 'tenant' || lpad(t::text, 18, '0'), i, 'item ' || i
      from generate_series(0, ${tenants - 1}) t, generate_series(1, ${ITEMS}) i;
    alter table stock enable row level security;
    alter table stock force row level security;
    create policy tenant on stock
      using      (tenant_id = nullif(current_setting('app.tenant_id', true), ''))
      with check (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
    grant select, insert, update, delete on stock to tenantry_app;`)
  await owner.unsafe('vacuum analyze stock')
  await owner.end()
  const sql = postgres(scratch.urls.application, { max: 4, onnotice: () => {} }) as unknown as Sql
  return {
    sql,
    url: scratch.urls.application,
    ownerUrl: scratch.urls.owner,
    directory: scratch.directory,
    async close() {
      await sql.end()
      await scratch.stop()
    },
  }
}

/** CPU of this process and of PostgreSQL for one piece of work, in microseconds. */
export interface Cost {
  client: number
  database: number
  count: number
}

export async function costOf(directory: string, work: (n: number) => Promise<unknown>): Promise<Cost> {
  const database = databaseCpu(directory)
  const client = process.cpuUsage()
  const end = performance.now() + 1000
  let count = 0
  // As many at once as there are connections.
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (performance.now() < end) await work(count++)
    }),
  )
  const { user, system } = process.cpuUsage(client)
  return { client: (user + system) / count, database: (databaseCpu(directory) - database) / count, count }
}

export const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
const whole = (value: number): number => Math.round(value)

/** Takes turns, and prints what each side cost. @returns the median of the rounds' ratios to the first side */
export async function compare(
  sides: Record<string, () => Promise<Cost>>,
): Promise<Record<string, { ratio: number; spread: [number, number] }>> {
  const costs: Record<string, Cost[]> = Object.fromEntries(Object.keys(sides).map((name) => [name, []]))
  for (const side of Object.values(sides)) await side()
  for (let round = 0; round < ROUNDS; round++) {
    const names = Object.keys(sides)
    for (const name of round % 2 === 0 ? names : names.reverse()) costs[name]!.push(await sides[name]!())
  }
  console.table(
    Object.fromEntries(
      Object.entries(costs).map(([name, all]) => [
        name,
        {
          'client µs': whole(median(all.map(({ client }) => client))),
          'database µs': whole(median(all.map(({ database }) => database))),
          'pieces of work': all.reduce((sum, { count }) => sum + count, 0),
        },
      ]),
    ),
  )
  const total = ({ client, database }: Cost) => client + database
  const [first, ...others] = Object.keys(sides)
  return Object.fromEntries(
    others.map((name) => {
      const ratios = costs[name]!.map((cost, round) => total(cost) / total(costs[first!]![round]!)).toSorted(
        (a, b) => a - b,
      )
      const shown = (value: number) => Number(value.toFixed(3))
      return [name, { ratio: shown(median(ratios)), spread: [shown(ratios[3]!), shown(ratios.at(-4)!)] }]
    }),
  )
}
