/** Limits and usage, and names in what all tenants share: Redis, queues. */
import assert from 'node:assert/strict'
import type { Tx } from '@tenantry/tenancy'
import type { Redis } from 'ioredis'
import { noRedis, startTestRedis } from '../../../packages/tenancy/src/redis/test-redis.ts'
import type { Desk } from '../desk.ts'
import { setup } from './setup.ts'

const asTenant = ({ owner, tenantId }: Desk, statement: string) =>
  owner.begin(async (tx) => {
    await tx`select set_config('app.tenant_id', ${tenantId}, true)`
    return tx.unsafe(statement)
  })

let redis: ReturnType<typeof startTestRedis> | undefined
async function redisUrl({ later }: Desk): Promise<string> {
  if (!redis) later(async () => (await redis)?.close())
  redis ??= startTestRedis()
  return (await redis).address
}
const hangUp = (_: Desk, { redis }: { redis: Redis }) => redis.disconnect()

export const limitAndNameSetups = {
  'tenancy/limits limitTables': setup({
    async given({ owner }) {
      await owner`drop schema tenancy cascade`
      return {}
    },
    async verify({ sql }) {
      const [there] = await sql`select to_regclass('tenancy.usage')::text as usage`
      assert.ok(there?.usage)
    },
  }),
  'tenancy/limits createUsageMeter': setup({
    async verify(desk, { usage }) {
      await usage.close()
      const [row] = await asTenant(
        desk,
        `select sum(amount) from tenancy.usage where meter in ('api-calls', 'reports')`,
      )
      assert.deepEqual(row, { sum: '2' })
    },
  }),
  'tenancy/limits countStatement': setup({
    async verify(desk) {
      const rows = await asTenant(desk, `select amount from tenancy.usage where meter = 'items-made'`)
      assert.deepEqual([...rows], [{ amount: '1' }])
    },
  }),
  'tenancy/limits readUsage': setup({
    async given(desk) {
      await asTenant(desk, `insert into tenancy.usage values ('${desk.tenantId}', 'reports', '2026-03-09', 0, 3)`)
      return {}
    },
  }),
  'tenancy/names createEnvelopes': setup({
    given() {
      const [shipped, parked]: [unknown[], string[]] = [[], []]
      return {
        ...{ shipped, parked, secret: 'a secret of thirty-two bytes, at the least' },
        shipItem: async (_tx: Tx, item: unknown) => void shipped.push(item),
        deadLetters: { send: async (message: string) => void parked.push(message) },
      }
    },
    verify: ({ shipped, parked }) => assert.deepEqual([shipped, parked], [[{ item: '1' }], ['forged']]),
  }),
  'tenancy/redis redisLimits': setup({
    skip: noRedis,
    given: async (desk) => ({ redisUrl: await redisUrl(desk) }),
    verify: hangUp,
  }),
  'tenancy/redis createTenantCache': setup({
    skip: noRedis,
    given: async (desk) => ({
      redisUrl: await redisUrl(desk),
      makeReport: async (tx: Tx) => `${(await desk.listItems(tx)).length} items`,
    }),
    verify: hangUp,
  }),
}
