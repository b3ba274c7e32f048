/** Limits in Redis or Valkey: each wish is one script on one key, so it is atomic, in a cluster too. */
import { createHash } from 'node:crypto'
import { keyPart } from '../names/encoding.ts'
import { type Command, commandsOf, type RedisClient } from '../redis/commands.ts'
import { type Lease, type LimitStore, SLOT_SECONDS, type Wish } from './store.ts'

export interface RedisLimitsOptions {
  /** Begins every key: `limits` if left out. Give each application and each environment its own. */
  prefix?: string
}

const clock = `
local t = redis.call('TIME')
local now = t[1] + t[2] / 1e6
local size, used, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])`

const scripts = {
  rate: scriptOf(`${clock}
local per_second = tonumber(ARGV[4])
local known = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = size, now
if known[1] then
  at = math.max(now, tonumber(known[2]))
  tokens = math.min(size, tonumber(known[1]) + per_second * math.max(0, now - tonumber(known[2])))
end
local settled = math.min(size, tokens - used)
local granted = math.max(0, math.min(wanted, math.floor(settled)))
local left = settled - granted
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', left), 'at', string.format('%.17g', at))
if left >= size then redis.call('DEL', KEYS[1])
elseif per_second > 0 then redis.call('EXPIRE', KEYS[1], math.ceil(math.min(1e8, (size - left) / per_second)) + 1)
else redis.call('PERSIST', KEYS[1]) end
return { string.format('%.0f', granted), string.format('%.17g', left) }`),
  quota: scriptOf(`${clock}
local settled = math.max(0, tonumber(redis.call('GET', KEYS[1]) or '0') + used)
local granted = math.max(0, math.min(wanted, size - settled))
redis.call('SET', KEYS[1], string.format('%.0f', settled + granted), 'PXAT', ARGV[4])
return { string.format('%.0f', granted), string.format('%.0f', size - settled - granted) }`),
  // A hash: process -> "how many:until when". Those whose time is over are dropped by whoever comes next.
  concurrent: scriptOf(`${clock}
local holder, ttl = ARGV[4], tonumber(ARGV[5])
local taken = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local count, till = string.match(all[i + 1], '^(%d+):(.+)$')
  if tonumber(till) <= now then redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= holder then taken = taken + tonumber(count) end
end
local granted = math.max(0, math.min(wanted, size - taken - used))
if used + granted > 0 then
  redis.call('HSET', KEYS[1], holder, string.format('%.0f:%.17g', used + granted, now + ttl))
  redis.call('EXPIRE', KEYS[1], ttl + 1)
else redis.call('HDEL', KEYS[1], holder) end
return { string.format('%.0f', granted), string.format('%.0f', size - taken - used - granted) }`),
}

/**
 * Atomic, but only as durable as the server’s persistence: what it forgets (a crash without AOF, eviction) is counted
 * anew. Give it `maxmemory-policy noeviction` or a server of its own, or keep quotas in PostgreSQL.
 *
 * @param client of the package `redis`, connected, or `ioredis`
 * @example
 * import { Redis } from 'ioredis'
 *
 * const redis = new Redis(redisUrl)
 * const store = redisLimits(redis, { prefix: 'shop:limits' })
 * const limiter = createLimiter({ store, tiers: { basic: { rate: { perSecond: 50, burst: 100 } } } })
 * await withIdentity(identity, () => limiter.run(() => 'served')) // → 'served'
 */
export function redisLimits(client: RedisClient, options: RedisLimitsOptions = {}): LimitStore {
  const command = commandsOf(client)
  const prefix = options.prefix ?? 'limits'
  const argumentsOf = ({ limit, used, wanted, endsAt, holder }: Wish): string[] => {
    const own = limit.kind === 'rate' ? [limit.perSecond] : limit.kind === 'quota' ? [endsAt] : [holder, SLOT_SECONDS]
    return [limit.size, used, wanted, ...own].map(String)
  }
  const settle = async (wish: Wish): Promise<Lease> => {
    const { limit, period, tenantId } = wish
    const key = `${prefix}:${limit.name}:${period}:${keyPart(tenantId)}`
    const [granted, left] = (await run(command, scripts[limit.kind], key, argumentsOf(wish))) as [string, string]
    return { granted: Number(granted), left: Math.max(0, Number(left)) }
  }
  return {
    // One turn of the event loop: both clients send these together.
    lease: (wishes) => Promise.all(wishes.map(settle)),
    // Every key ends by itself; this asks only whether the server is there.
    sweep: async () => {
      await command('PING')
    },
  }
}

interface Script {
  text: string
  digest: string
}

function scriptOf(text: string): Script {
  return { text, digest: createHash('sha1').update(text).digest('hex') }
}

async function run(command: Command, { text, digest }: Script, key: string, parts: string[]): Promise<unknown> {
  try {
    return await command('EVALSHA', digest, '1', key, ...parts)
  } catch (error) {
    // The server has restarted or never seen it.
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return command('EVAL', text, '1', key, ...parts)
  }
}
