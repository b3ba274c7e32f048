/** One environment of a real server beside the model of it. Chance comes from a seed, so that a failure can be had again. */
import assert from 'node:assert/strict'
import {
  AUDIENCE,
  type Browser,
  createWorld,
  openBrowser,
  PASSWORD,
  type World,
} from '@tenantry/identity/oauth/fixture.ts'
import type { Answer, TestIdentity } from '@tenantry/identity/testing.ts'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import {
  type Grant,
  LIMITS,
  type Organization,
  type Person,
  type RefreshToken,
  type Role,
  type Session,
} from './model.ts'

export interface Draw {
  /** Undefined of an empty list. */
  pick<T>(from: readonly T[]): T
  chance(probability: number): boolean
}

/** Mulberry32: small, and the same everywhere. */
export function createDraw(seed: number): Draw {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    pick: (from) => from[Math.floor(next() * from.length)]!,
    chance: (probability) => next() < probability,
  }
}

export type ModelBrowser = Browser & { name: string; session: Session | undefined }

export interface ModelWorld extends Pick<World, 'authorize' | 'exchange' | 'refresh' | 'connection'> {
  people: Person[]
  organizations: Organization[]
  browsers: ModelBrowser[]
  roles: Record<Role, string>
  sessions: Session[]
  grants: Grant[]
  refreshTokens: RefreshToken[]
  steps: number
  now(): number
  advance(seconds: number): void
  manage(method: string, path: string, body: unknown, status: number): Promise<void>
  revoke(token: string): Promise<Answer>
  /** Against the keys that are published now. */
  verify(token: string): Promise<void>
  keysRotated(): Promise<void>
  /** What can no longer matter is forgotten, so that the steps stay as fast as the first. */
  tidy(): void
}

const KEPT = 60

export async function createModelWorld(identity: TestIdentity): Promise<ModelWorld> {
  const { clock } = identity
  const world = await createWorld(
    identity,
    {
      refresh_token: {
        rotation_type: 'rotating',
        expiration_type: 'expiring',
        leeway: LIMITS.leewaySeconds,
        token_lifetime: LIMITS.refreshSeconds,
        idle_token_lifetime: LIMITS.refreshIdleSeconds,
      },
    },
    { session_lifetime: LIMITS.sessionSeconds / 3600, idle_session_lifetime: LIMITS.idleSeconds / 3600 },
  )
  const { env } = world
  // Limits on tries have their own tests; here a refusal must mean that the rules of access refuse.
  for (const shield of ['brute-force-protection', 'suspicious-ip-throttling']) {
    const { status } = await env.manage('PATCH', `/attack-protection/${shield}`, { enabled: false })
    assert.equal(status, 200)
  }
  const organizations = await Promise.all(
    ['acme', 'globex'].map(async (name) => ({
      id: await world.organization(name),
      connectionEnabled: true,
      suspended: false,
      members: new Map(),
    })),
  )
  const people = await Promise.all(
    ['anna', 'bob', 'carla'].map(async (name) => {
      const { user_id, email } = await world.person(`${name}@example.test`)
      return { id: user_id, email, password: PASSWORD, blocked: false }
    }),
  )
  let keys = createLocalJWKSet((await env.request('/.well-known/jwks.json')).json as JSONWebKeySet)

  const made: ModelWorld = {
    ...world,
    people,
    organizations,
    browsers: ['one', 'two', 'three'].map((name) => Object.assign(openBrowser(env), { name, session: undefined })),
    roles: { admin: world.admin, reader: world.reader },
    sessions: [],
    grants: [],
    refreshTokens: [],
    steps: 0,
    now: () => clock.now().getTime(),
    advance: (seconds) => clock.advance(seconds),
    async manage(method, path, body, status) {
      const answer = await env.manage(method, path, body)
      assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`)
    },
    revoke: (token) => env.request('/oauth/revoke', { form: { client_id: world.spa, token } }),
    async verify(token) {
      await jwtVerify(token, keys, {
        issuer: env.issuer,
        audience: AUDIENCE,
        algorithms: ['RS256'],
        currentDate: clock.now(),
      })
    },
    async keysRotated() {
      keys = createLocalJWKSet((await env.request('/.well-known/jwks.json')).json as JSONWebKeySet)
    },
    tidy() {
      made.refreshTokens = made.refreshTokens.slice(-KEPT)
      const holding = new Set(made.refreshTokens.map(({ grant }) => grant))
      made.grants = made.grants.filter((grant, index) => index >= made.grants.length - KEPT || holding.has(grant))
      made.sessions = made.sessions.slice(-KEPT)
    },
  }
  return made
}
