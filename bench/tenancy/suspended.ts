/**
 * Claim: a suspended tenant costs others nothing.
 *
 * Ten tenants read without a pause, four at a time, from token to rows. Beside them, in turns: nobody; 1,000 suspended tenants
 * who ask a thousand times a second and are refused for their token; the same, refused for their placement. What the others see
 * is compared: how long they wait, and what the database spends on them.
 */
import {
  createAuthenticator,
  createPlacedDatabase,
  createPlacements,
  createSuspensions,
  createVerifier,
  migrateLifecycle,
  postgresDriver,
  TenantUnavailable,
  TokenRefused,
  type Tx,
  withIdentity,
} from '@tenantry/tenancy'
import { postgres } from '@tenantry/tenancy/driver'
import type { Sql } from 'postgres'
import { databaseCpu } from '../identity/database-cpu.ts'
import { AUDIENCE, startIssuer, TENANT } from './issuer.ts'
import { median, openStock, tenantIdOf } from './stock.ts'

const [OTHERS, SUSPENDED, PER_SECOND] = [10, 1000, 1000]
const ROUNDS = 9
const SECONDS = 2
const TARGET = 1.1

interface Seen {
  p50: number
  p99: number
  work: number
  databaseUs: number
  refused: number
  clientUs: number
}

export async function measureSuspended() {
  const organizationOf = (n: number) => `org_${String(n).padStart(16, '0')}`
  const byToken = Array.from({ length: SUSPENDED }, (_, n) => OTHERS + n)
  const byPlacement = byToken.map((n) => n + SUSPENDED)
  const issuer = await startIssuer(byToken.map(organizationOf))
  const stock = await openStock(OTHERS)
  const owner = postgres(stock.ownerUrl, { max: 1, onnotice: () => {} }) as unknown as Sql
  await migrateLifecycle(owner, { schema: 'control', role: 'tenantry_owner', reader: 'tenantry_app' })
  for (const n of [...Array(OTHERS).keys(), ...byToken, ...byPlacement]) {
    const state = byPlacement.includes(n) ? 'suspended' : 'active'
    await owner`insert into control.tenants (tenant, state, tier, placement) values (${tenantIdOf(n)}, ${state}, 'basic', '{"model":"pool"}')`
  }
  const suspensions = createSuspensions({
    issuer: issuer.issuer,
    credentials: { clientId: 'service', clientSecret: 'secret' },
  })
  await suspensions.ready
  const authenticate = createAuthenticator({
    verifier: createVerifier({ issuer: issuer.issuer, audience: AUDIENCE, rememberSeconds: 3600 }),
    tenantClaim: TENANT,
    suspensions,
  })
  const placements = await createPlacements({ sql: stock.sql, schema: 'control', cacheSeconds: 3600 })
  const database = createPlacedDatabase({ placements, pool: postgresDriver(stock.sql), schemas: ['public'] })
  const headers: Record<number, { authorization: string }> = {}
  for (const n of [...Array(OTHERS).keys(), ...byToken, ...byPlacement]) {
    const token = await issuer.token({
      subject: `auth0|${n}`,
      tenantId: tenantIdOf(n),
      organization: organizationOf(n),
    })
    headers[n] = { authorization: `Bearer ${token}` }
  }
  const read = (tx: Tx) => tx`select id, name from stock where id between 5 and 9`
  const ask = async (n: number) => {
    const identity = await authenticate(headers[n]!)
    return withIdentity(identity, () => database.inTenant(read))
  }

  async function run(asking: readonly number[]): Promise<Seen> {
    const waited: number[] = []
    let [refused, ended] = [0, false]
    const end = performance.now() + SECONDS * 1000
    const fromDatabase = databaseCpu(stock.directory)
    const fromClient = process.cpuUsage()
    const others = Array.from({ length: 4 }, async (_, worker) => {
      for (let n = worker; performance.now() < end; n++) {
        const begun = performance.now()
        const rows = await ask(n % OTHERS)
        if (rows.length !== 5) throw new Error('A tenant does not see its rows.')
        waited.push(performance.now() - begun)
      }
    })
    const knocking = (async () => {
      for (let sent = 0, begun = performance.now(); !ended && asking.length > 0; ) {
        for (const due = ((performance.now() - begun) / 1000) * PER_SECOND; sent < due; sent++) {
          await ask(asking[sent % asking.length]!).catch((error) => {
            if (!(error instanceof TokenRefused || error instanceof TenantUnavailable)) throw error
            refused++
          })
        }
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    })()
    await Promise.all(others)
    ended = true
    await knocking
    const { user, system } = process.cpuUsage(fromClient)
    const sorted = waited.toSorted((a, b) => a - b)
    return {
      p50: sorted[Math.floor(sorted.length / 2)]!,
      p99: sorted[Math.floor(sorted.length * 0.99)]!,
      work: sorted.length / SECONDS,
      databaseUs: (databaseCpu(stock.directory) - fromDatabase) / sorted.length,
      clientUs: (user + system) / sorted.length,
      refused: refused / SECONDS,
    }
  }

  const sides = { 'nobody else': [], 'refused for the token': byToken, 'refused for the placement': byPlacement }
  const seen: Record<string, Seen[]> = {
    'nobody else': [],
    'refused for the token': [],
    'refused for the placement': [],
  }
  for (let round = 0; round <= ROUNDS; round++) {
    const order = Object.entries(sides)
    for (const [name, asking] of round % 2 === 0 ? order : order.reverse()) {
      const figures = await run(asking)
      // The first round compiles and fills.
      if (round > 0) seen[name]!.push(figures)
    }
  }
  suspensions.close()
  issuer.close()
  await placements.close()
  await database.end()
  await owner.end()
  await stock.close()

  const of = (name: string, what: keyof Seen) => median(seen[name]!.map((each) => each[what]))
  const shown = (value: number, digits: number) => Number(value.toFixed(digits))
  console.table(
    Object.fromEntries(
      Object.keys(sides).map((name) => [
        name,
        {
          'others’ p50 ms': shown(of(name, 'p50'), 3),
          'others’ p99 ms': shown(of(name, 'p99'), 3),
          'others’ work a second': shown(of(name, 'work'), 0),
          'database µs each': shown(of(name, 'databaseUs'), 1),
          'client µs each': shown(of(name, 'clientUs'), 1),
          'refusals a second': shown(of(name, 'refused'), 0),
        },
      ]),
    ),
  )
  const ratios = Object.keys(sides)
    .slice(1)
    .map((name) => ({
      name,
      p50: shown(of(name, 'p50') / of('nobody else', 'p50'), 3),
      databaseUs: shown(of(name, 'databaseUs') / of('nobody else', 'databaseUs'), 3),
      p99: shown(of(name, 'p99') / of('nobody else', 'p99'), 3),
    }))
  return {
    ratios,
    target: `p50 and the database’s CPU <= ${TARGET}`,
    met: ratios.every(({ p50, databaseUs }) => p50 <= TARGET && databaseUs <= TARGET),
  }
}
