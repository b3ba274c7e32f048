/** Tenantry itself is the examples' issuer. Whoever of this thread asks https://login.example.com/ reaches it. */
import { randomBytes } from 'node:crypto'
import { createConfigurationCache } from '@tenantry/identity/configuration-cache.ts'
import { seedEnvironment } from '@tenantry/identity/environments/seed.ts'
import { signJwt } from '@tenantry/identity/keys/jwt.ts'
import { createKeyrings } from '@tenantry/identity/keys/keyring.ts'
import { managementScopes } from '@tenantry/identity/resources/management-scopes.ts'
import { movableClock, startIdentity } from '@tenantry/identity/testing.ts'
import type { Issuer } from '../desk.ts'

const ORIGIN = 'https://login.example.com'

export async function openIssuer(): Promise<Issuer> {
  const identity = await startIdentity({ clock: movableClock() })
  // An earlier run on this database may have had the address.
  await identity.database.acrossEnvironments(
    'free the address of the examples’ issuer',
    (sql) => sql`delete from environment_origins where origin = ${ORIGIN}`,
  )
  const environment = await seedEnvironment(identity, { name: 'Examples', origins: [ORIGIN] })
  const keyrings = createKeyrings({ ...identity, cache: createConfigurationCache(identity.database) })

  const beyond = globalThis.fetch
  globalThis.fetch = async (input, init) => {
    const address = input instanceof Request ? input.url : String(input)
    if (!address.startsWith(`${ORIGIN}/`)) return beyond(input, init)
    const request = new Request(input, init)
    const body = await request.text()
    const answer = await identity.ask(new URL(ORIGIN).host, address.slice(ORIGIN.length), {
      method: request.method,
      headers: Object.fromEntries(request.headers),
      ...(body === '' ? {} : { body }),
    })
    return new Response(answer.text, { status: answer.status, headers: answer.headers as Record<string, string> })
  }

  const token: Issuer['token'] = async (claims) => {
    const now = Math.floor(Date.now() / 1000)
    const all = { iss: `${ORIGIN}/`, iat: now, exp: now + 3_600, ...claims }
    return signJwt((await keyrings(environment.id)).current, all)
  }
  return {
    token,
    async suspended() {
      const audience = `${ORIGIN}/api/v2/`
      const scope = managementScopes.join(' ')
      const authorization = `Bearer ${await token({ sub: 'desk@clients', aud: audience, scope })}`
      const manage = async (method: string, path: string, body: object) => {
        const headers = { authorization, 'content-type': 'application/json' }
        const answer = await fetch(`${ORIGIN}/api/v2${path}`, { method, headers, body: JSON.stringify(body) })
        if (!answer.ok) throw new Error(await answer.text())
        return (await answer.json()) as Record<string, string>
      }
      const client = await manage('POST', '/clients', {
        name: 'Service',
        app_type: 'non_interactive',
        grant_types: ['client_credentials'],
      })
      const { client_id: clientId, client_secret: clientSecret } = client
      await manage('POST', '/client-grants', {
        client_id: clientId,
        audience,
        scope: ['read:organizations_summary'],
      })
      const { id } = await manage('POST', '/organizations', { name: `late-payer-${randomBytes(4).toString('hex')}` })
      await manage('PATCH', `/organizations/${id}`, { is_suspended: true })
      return { clientId: clientId!, clientSecret: clientSecret!, organizationId: id! }
    },
    async close() {
      globalThis.fetch = beyond
      await identity.close()
    },
  }
}
