/** Fixture: an issuer's list of suspended organizations, which does not answer until it is told to. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { createFetchJson } from '../authorizers/fetch-json.ts'
import { createRevocations, type Revocations } from '../authorizers/revocation.ts'
import type { Bench } from '../test-gateway.ts'

export interface Suspensions {
  readonly revocations: (bench: Bench) => Revocations
  close(): void
}

export async function startSuspensions(suspended: readonly string[], isTold: () => boolean): Promise<Suspensions> {
  const server = http.createServer((request, response) => {
    request.resume()
    if (!isTold()) response.writeHead(503).end()
    else if (request.url === '/token') response.end(JSON.stringify({ access_token: 'one', expires_in: 600 }))
    else response.end(JSON.stringify({ organizations: suspended.map((id) => ({ id })) }))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  let made: Revocations | null = null
  return {
    revocations: ({ issuer: { issuer }, clock }) => {
      const credentials = { tokenUrl: `${base}/token`, clientId: 'gw', clientSecret: 's', audience: 'a', scope: 'x' }
      made = createRevocations(
        { issuer, url: `${base}/list`, credentials },
        {
          fetchJson: createFetchJson(),
          now: () => clock.now().getTime(),
          logger: pino({ level: 'silent' }),
          policy: { pollMs: 10, staleAfterMs: 60_000, closedAfterMs: 120_000 },
        },
      )
      return made
    },
    close: () => {
      made?.close()
      server.close()
      server.closeAllConnections()
    },
  }
}
