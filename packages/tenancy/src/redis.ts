/** Public face of `@tenantry/tenancy/redis`: what the kit keeps in Redis or Valkey, through `ioredis` or `redis`. */
export { type RedisLimitsOptions, redisLimits } from './limits/redis.ts'
export { createTenantCache, type TenantCache, type TenantCacheOptions } from './names/cache.ts'
export type {
  IoRedis,
  IoRedisSubscriber,
  NodeRedis,
  NodeRedisSubscriber,
  RedisClient,
  RedisSubscriber,
} from './redis/commands.ts'
