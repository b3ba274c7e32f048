/**
 * The identity server for tests: real HTTP on a free port, real PostgreSQL, and a fresh environment for each test, which
 * costs one insert and makes every test an isolation test.
 */

import { type IncomingHttpHeaders, request as send } from 'node:http'
import { isIP } from 'node:net'
import { type Clock, systemClock } from '@tenantry/kernel/clock.ts'
import {
  createDatabase,
  type Database,
  type DatabaseOptions,
  type DatabaseUrls,
} from '@tenantry/kernel/database/database.ts'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import { createEgress, type Egress } from '@tenantry/kernel/http/egress.ts'
import type { MountedRoute } from '@tenantry/kernel/http/server.ts'
import { randomText } from '@tenantry/kernel/id.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { createSecrets } from '@tenantry/kernel/secrets.ts'
import { createActionRunner } from './actions/runner.ts'
import { createConfigurationCache } from './configuration-cache.ts'
import type { Environment, EnvironmentSettings } from './environments/environment.ts'
import { seedEnvironment } from './environments/seed.ts'
import { createIdentity } from './identity.ts'
import { signJwt } from './keys/jwt.ts'
import { createKeyrings } from './keys/keyring.ts'
import { testKeyPair } from './keys/test-key-pairs.ts'
import type { ResolveTxt } from './resources/domain-name.ts'
import { managementAudience } from './resources/management-api.ts'
import { managementScopes } from './resources/management-scopes.ts'
import type { RateLimit } from './resources/rate-limit.ts'
import type { BreachedPasswords } from './upstream/database/breached.ts'

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  // Tests look into answers of any shape and assert what they find.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  json: any
}

export interface Ask {
  method?: string
  headers?: Record<string, string>
  /** Sent as JSON; a string or Buffer is sent as it is. */
  body?: unknown
  form?: Record<string, string>
}

/** A clock that tests move. */
export interface MovableClock extends Clock {
  advance(seconds: number): void
}

export function movableClock(): MovableClock {
  let offset = 0
  return {
    now: () => new Date(systemClock.now().getTime() + offset),
    advance: (seconds) => {
      offset += seconds * 1000
    },
  }
}

/** A clock that stands still until it is moved: limits are met or missed to the millisecond. */
export function stoppedClock(): MovableClock {
  let time = systemClock.now().getTime()
  return {
    now: () => new Date(time),
    advance: (seconds) => {
      time += seconds * 1000
    },
  }
}

/**
 * A clock that goes on by a millisecond whenever it is looked at: what happens later has a later time, and no limit is
 * passed because the machine is slow. It begins with a step of time-based codes, far from the next one.
 */
export function tickingClock(): MovableClock {
  const step = 30_000
  let time = Math.floor(systemClock.now().getTime() / step) * step
  return {
    now: () => new Date(time++),
    advance: (seconds) => {
      time += seconds * 1000
    },
  }
}

export interface TestEnvironment extends Environment {
  origin: string
  issuer: string
  request(path: string, ask?: Ask): Promise<Answer>
  /** A request to /api/v2 with a token that holds every scope, or those given. */
  manage(method: string, path: string, body?: unknown, scopes?: readonly string[]): Promise<Answer>
  managementToken(scopes?: readonly string[]): Promise<string>
}

export interface TestIdentity {
  database: Database
  clock: MovableClock
  port: number
  secrets: ReturnType<typeof createSecrets>
  logLines: string[]
  routes: readonly MountedRoute[]
  /**
   * @param domain `localhost` where a real browser has to find it; it also counts as secure there. `127.0.0.1` where a program has
   * to find it that looks no name up: once in a server
   */
  environment(settings?: EnvironmentSettings, domain?: string): Promise<TestEnvironment>
  /** Asks this server for any host, also for one whose environment another server has made. */
  ask(host: string, path: string, ask?: Ask): Promise<Answer>
  close(): Promise<void>
}

export async function startIdentity({
  urls = testDatabase(),
  poolSize = 8,
  managementRate,
  onStatement,
  resolveTxt,
  breachedPasswords,
  egress = createEgress(),
  clock = tickingClock(),
}: {
  urls?: DatabaseUrls
  poolSize?: number
  managementRate?: RateLimit
  onStatement?: DatabaseOptions['onStatement']
  resolveTxt?: ResolveTxt
  breachedPasswords?: BreachedPasswords
  /** What Actions call through. */
  egress?: Egress
  clock?: MovableClock
} = {}): Promise<TestIdentity> {
  const database = await createDatabase({ urls, poolSize, onStatement })
  const secrets = createSecrets(Buffer.alloc(32, 7))
  const logLines: string[] = []
  const logger = createLogger({
    destination: {
      write: (line: string) => {
        logLines.push(line)
        if (process.env.DEBUG_TEST && !line.includes('"request"')) process.stderr.write(line)
      },
    },
  })
  const runner = createActionRunner({ logger, egress })
  const app = await createIdentity({
    database,
    secrets,
    clock,
    logger,
    mail: { kind: 'mailbox' },
    runner,
    managementRate,
    resolveTxt,
    breachedPasswords,
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const port = (app.server.address() as { port: number }).port
  const keyrings = createKeyrings({ database, secrets, cache: createConfigurationCache({ onChange: () => {} }) })

  const environment: TestIdentity['environment'] = async (settings = {}, domain = 'example.test') => {
    const host = isIP(domain) ? `${domain}:${port}` : `${randomText(10).toLowerCase()}.${domain}:${port}`
    const origin = `http://${host}`
    const deps = { database, secrets, clock, newKeyPair: testKeyPair }
    const seeded = await seedEnvironment(deps, { name: 'Test', origins: [origin], settings })
    const request = (path: string, ask: Ask = {}) => askPort(port, host, path, ask)
    const managementToken = async (scopes: readonly string[] = managementScopes) => {
      const now = Math.floor(clock.now().getTime() / 1000)
      const claims = {
        iss: `${origin}/`,
        sub: 'test@clients',
        aud: managementAudience(origin),
        iat: now,
        exp: now + 600,
        scope: scopes.join(' '),
      }
      return signJwt((await keyrings(seeded.id)).current, claims)
    }
    return {
      ...seeded,
      origin,
      issuer: `${origin}/`,
      request,
      managementToken,
      manage: async (method, path, body, scopes) =>
        request(`/api/v2${path}`, {
          method,
          body,
          headers: { authorization: `Bearer ${await managementToken(scopes)}` },
        }),
    }
  }
  return {
    database,
    clock,
    port,
    secrets,
    logLines,
    routes: app.mounted,
    environment,
    ask: (host, path, ask = {}) => askPort(port, host, path, ask),
    close: async () => {
      await app.close()
      await runner.close()
      await database.close()
    },
  }
}

/** One request over plain HTTP to a port of this machine, for any host. */
export function askPort(
  port: number,
  host: string,
  path: string,
  { method, headers = {}, body, form }: Ask = {},
): Promise<Answer> {
  const payload =
    form !== undefined
      ? new URLSearchParams(form).toString()
      : body === undefined || typeof body === 'string' || Buffer.isBuffer(body)
        ? body
        : JSON.stringify(body)
  const type = form ? 'application/x-www-form-urlencoded' : 'application/json'
  return new Promise((resolve, reject) => {
    const outgoing = send(
      {
        port,
        host: '127.0.0.1',
        path,
        method: method ?? (payload === undefined ? 'GET' : 'POST'),
        headers: {
          host,
          ...(payload === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(payload) }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          let json: unknown
          try {
            json = JSON.parse(text)
          } catch {
            json = undefined // not every answer is JSON
          }
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(payload)
  })
}
