import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { currentIdentity, withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import type { RedisClient, RedisSubscriber } from '../redis/commands.ts'
import { noRedis, startTestRedis, type TestRedis } from '../redis/test-redis.ts'
import { createTenantCache, type TenantCache } from './cache.ts'

const as = <T>(tenantId: string, work: () => T): T =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), work)
const lookAlikes = ['t1', 't1-2', 't', 'T1', 't1:', 't*', 't?', 't[1]', '*', 't1\n']

interface Clients {
  client: RedisClient
  subscriber: RedisSubscriber
}

for (const [name, connect] of [
  ['ioredis', async (redis: TestRedis): Promise<Clients> => ({ client: redis.ioredis(), subscriber: redis.ioredis() })],
  [
    'node-redis',
    async (redis: TestRedis): Promise<Clients> => ({
      client: await redis.nodeRedis(),
      subscriber: await redis.nodeRedis(),
    }),
  ],
] as const) {
  describe(`the cache in Redis through ${name}`, { skip: noRedis }, () => {
    let redis: TestRedis
    let clients: Clients
    let cache: TenantCache
    let prefix: string
    before(async () => {
      redis = await startTestRedis()
      // Whoever’s request opens a connection: what arrives on it is not therefore theirs.
      clients = await as('opener', () => connect(redis))
      prefix = `test-${randomBytes(6).toString('hex')}`
      cache = createTenantCache(clients.client, { prefix, subscriber: clients.subscriber })
    })
    after(() => redis.close())
    const keysOf = async () => {
      const keys: string[] = []
      for await (const key of cache.keys()) keys.push(key)
      return keys.sort()
    }

    it('N234 answers none of another tenant’s keys, whatever they are called', async () => {
      const keys = ['user:1', 'user', '1:user', 'a:b', '', '*', '../t1-2/x', 'ä', `${prefix}:t1:user:1`]
      for (const tenantId of lookAlikes) {
        await as(tenantId, async () => {
          for (const key of keys) assert.equal(await cache.get(key), undefined, `${tenantId} sees ${key}`)
          for (const key of keys) assert.equal(await cache.set(key, `${tenantId} ${key}`), true)
        })
      }
      for (const tenantId of lookAlikes) {
        await as(tenantId, async () => {
          assert.deepEqual(
            await cache.getMany(keys),
            keys.map((key) => `${tenantId} ${key}`),
          )
          assert.deepEqual(await keysOf(), [...keys].sort())
        })
      }
      assert.equal(await as('t*', () => cache.clear()), keys.length)
      for (const tenantId of lookAlikes) {
        assert.equal((await as(tenantId, keysOf)).length, tenantId === 't*' ? 0 : keys.length)
      }
    })

    it('keeps, counts, expires and deletes what is the tenant’s', async () => {
      await as('t2', async () => {
        assert.equal(await cache.set('a', '1', { seconds: 1 }), true)
        assert.equal(await cache.set('a', '2', { onlyIfAbsent: true }), false)
        assert.equal(await cache.get('a'), '1')
        assert.equal(await cache.increment('a', 4), 5)
        assert.equal(await cache.has('a'), true)
        assert.equal(await cache.expire('a', 100), true)
        assert.equal(await cache.delete('a'), true)
        assert.equal(await cache.delete('a'), false)
        assert.equal(await cache.has('a'), false)
        assert.equal(await cache.expire('a', 100), false)
        await assert.rejects(cache.set('a', '1', { seconds: 0 }), /whole seconds/)
      })
      await assert.rejects(cache.get('a'), { name: 'IdentityMissing' })
      await assert.rejects(keysOf(), { name: 'IdentityMissing' })
      for (const bad of ['', 'a*', 'a b', 'a{1}'])
        assert.throws(() => createTenantCache(clients.client, { prefix: bad }))
    })

    it('N26 makes what is missing once for each tenant, and gives none another’s, however many ask at once', async () => {
      const made: string[] = []
      const tenants = Array.from({ length: 50 }, (_, n) => `tenant-${n}`)
      const answers = await Promise.all(
        tenants.flatMap((tenantId) =>
          Array.from({ length: 4 }, () =>
            as(tenantId, () =>
              cache.remember('report', 60, async () => {
                made.push(tenantId)
                await new Promise((resolve) => setTimeout(resolve, 20))
                return `of ${currentIdentity().tenantId}`
              }),
            ),
          ),
        ),
      )
      assert.deepEqual(
        answers,
        tenants.flatMap((tenantId) => Array(4).fill(`of ${tenantId}`)),
      )
      assert.deepEqual(made.sort(), [...tenants].sort())
      const again = () => assert.fail('made again')
      assert.equal(await as('tenant-7', () => cache.remember('report', 60, again)), 'of tenant-7')
      const failing = () =>
        as('t3', () => cache.remember('x', 60, async () => Promise.reject(new Error('of the work'))))
      await assert.rejects(failing(), /of the work/)
      await assert.rejects(failing(), /of the work/)
      assert.equal(await as('t3', () => cache.remember('x', 60, async () => 'made')), 'made')
    })

    it('delivers what is published to the tenant’s own subscribers, as who subscribed', async () => {
      const heard: [string, string, string][] = []
      const events = new EventEmitter()
      const ends: (() => Promise<void>)[] = []
      for (const tenantId of ['t1', 't1-2', '*']) {
        const end = await as(tenantId, () =>
          cache.subscribe('news', (message) => {
            heard.push([tenantId, currentIdentity().tenantId, message])
            events.emit('heard')
          }),
        )
        ends.push(end)
      }
      const said = once(events, 'heard')
      assert.equal(await as('t1', () => cache.publish('news', 'for t1')), 1)
      await said
      assert.equal(await as('t', () => cache.publish('news', 'for nobody')), 0)
      await ends[0]!()
      assert.equal(await as('t1', () => cache.publish('news', 'too late')), 0)
      assert.equal(await as('t1-2', () => cache.publish('news', 'for t1-2')), 1)
      if (heard.length < 2) await once(events, 'heard')
      assert.deepEqual(heard, [
        ['t1', 't1', 'for t1'],
        ['t1-2', 't1-2', 'for t1-2'],
      ])
      for (const end of ends.slice(1)) await end()
      await assert.rejects(
        as('t1', () => createTenantCache(clients.client).subscribe('news', () => {})),
        /second connection/,
      )
    })
  })
}
