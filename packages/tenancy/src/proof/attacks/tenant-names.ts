/** B's name where an API may look for the tenant besides the token: query, headers, host. Read with it and written with it. */

import type { Route } from '../api-description.ts'
import { attempt, madeIn, type Try } from '../attempt.ts'
import type { Kind } from '../kinds.ts'
import type { Parts } from '../request.ts'
import { isTenantNoun, nounOf, slotOf } from '../slots.ts'
import { hasParameters, type World } from '../world.ts'
import { type Attack, expendable, ownRequest, victimOf } from './attack.ts'

const NAMES = [
  'tenantId',
  'tenant_id',
  'tenant',
  'orgId',
  'org_id',
  'organizationId',
  'organization_id',
  'organization',
  'accountId',
  'account_id',
  'account',
  'workspaceId',
  'workspace_id',
  'workspace',
  'companyId',
  'company_id',
  'customerId',
  'customer_id',
]
const HEADERS = [
  'x-tenant-id',
  'x-tenant',
  'tenant-id',
  'tenantid',
  'x-org-id',
  'x-organization-id',
  'x-account-id',
  'x-workspace-id',
  'x-company-id',
  'x-customer-id',
  'x-scope-orgid',
  'x-user-tenant',
  'x-forwarded-tenant',
]

export const tenantNames = (route: Route, place: 'query' | 'body'): string[] => {
  const declared =
    place === 'query'
      ? route.parameters.filter(({ in: where }) => where === 'query').map(({ name }) => name)
      : Object.keys(route.body?.shape.properties ?? {})
  return [...new Set([...declared.filter((name) => isTenantNoun(nounOf(name))), ...NAMES])]
}

interface Addition {
  did: string
  add: (parts: Parts) => Parts
}

const inQuery = (pairs: [string, string][]): Addition => ({
  did: `with ${pairs.map(([name]) => name).join(', ')} of B in the query`,
  add: (parts) => ({
    ...parts,
    query: [...parts.query.filter(([name]) => !pairs.some(([ours]) => ours === name)), ...pairs],
  }),
})
const inHeaders = (headers: Record<string, string>): Addition => ({
  did: `with B in the header${Object.keys(headers).length > 1 ? 's' : ''} ${Object.keys(headers).join(', ')}`,
  add: (parts) => ({ ...parts, headers: { ...parts.headers, ...headers } }),
})

/** All at once first, since most APIs ignore all of them; then one by one, where all at once was refused or did something. */
interface Wave {
  together: Addition
  single: Addition[]
}

function waves(world: World, route: Route, kind: Kind): Wave[] {
  const { b, a, base, hostOfB } = world
  const each = (additions: (value: string) => Addition[], together: (value: string) => Addition): Wave[] =>
    b.ids.slice(0, 3).map((id) => ({ together: together(id), single: additions(id) }))
  if (kind === 'query-tenant') {
    const names = tenantNames(route, 'query')
    const own = a.ids[0]
    return each(
      (id) => [
        ...names.map((name) => inQuery([[name, id]])),
        // The check reads one of two, the query the other.
        ...(own === undefined
          ? []
          : [
              inQuery([
                [names[0]!, own],
                [names[0]!, id],
              ]),
              inQuery([
                [names[0]!, id],
                [names[0]!, own],
              ]),
            ]),
      ],
      (id) => inQuery(names.map((name) => [name, id])),
    )
  }
  if (kind === 'header-tenant') {
    const declared = route.parameters
      .filter(({ in: place, name }) => place === 'header' && isTenantNoun(nounOf(name.replace(/^x-/i, ''))))
      .map(({ name }) => name)
    const names = [...new Set([...declared, ...HEADERS])]
    const cookies = (id: string): Record<string, string> => ({
      cookie: ['tenant', 'tenantId', 'tenant_id', 'org', 'orgId']
        .map((name) => `${name}=${encodeURIComponent(id)}`)
        .join('; '),
    })
    const safe = (id: string) => id.replace(/[^\x20-\x7e]/g, '')
    return each(
      (id) => [...names.map((name) => inHeaders({ [name]: safe(id) })), inHeaders(cookies(id))],
      (id) => inHeaders({ ...Object.fromEntries(names.map((name) => [name, safe(id)])), ...cookies(id) }),
    )
  }
  const hosts = hostOfB
    ? [hostOfB.host]
    : b.ids.filter((id) => /^[a-z0-9-]{1,63}$/i.test(id)).map((id) => `${id}.${base.host}`)
  return hosts.slice(0, 3).map((host) => {
    const forwarded = { 'x-forwarded-host': host, 'x-original-host': host, 'x-host': host, forwarded: `host=${host}` }
    const single = [
      ...Object.entries(forwarded).map(([name, value]) => inHeaders({ [name]: value })),
      inHeaders({ host }),
    ]
    return { together: inHeaders({ ...forwarded, host }), single }
  })
}

const tenantNamed = (kind: Kind): Attack => ({
  kinds: [kind],
  applies: () => true,
  async run(world, route) {
    const { ledger } = world
    if (
      ledger.leaks(route, 'own-request', 'cache-shared', 'read-by-id', 'update-by-id', 'delete-by-id', 'create-under')
    ) {
      return ledger.untested(route, kind, 'hidden by a plainer leak of the same route')
    }
    const all = waves(world, route, kind)
    if (all.length === 0) {
      return ledger.untested(
        route,
        kind,
        'the name or id of tenant B is not known: the token holds none; tell it with --tenant-b',
      )
    }
    for (const { together, single } of all) {
      const first = await tryWith(world, route, kind, together)
      if (!first) return
      // A server that does not know the host, or takes no unknown parameters, has refused the lot: each by itself, then.
      const refused = first.answer !== undefined && [400, 403, 404, 421, 422, 431].includes(first.answer.status)
      if (!first.leaked && !(refused && !hasParameters(route))) continue
      for (const addition of single) {
        const tried = await tryWith(world, route, kind, addition)
        if (tried?.leaked) return
      }
      if (first.leaked) return
    }
  },
})

async function tryWith(world: World, route: Route, kind: Kind, { did, add }: Addition) {
  const { texts, ...own } = ownRequest(world, route)
  const basis: Omit<Try, 'parts' | 'did'> = { route, kind }
  if (!hasParameters(route)) {
    const sent = route.method === 'GET' ? {} : { sent: { texts, slot: madeIn(world, route) } }
    return attempt(world, { ...basis, did: `sent A’s own request ${did}`, parts: add(own), ...sent })
  }
  if (route.method === 'GET') {
    const victim = victimOf(world, route)
    if (!victim) return void world.ledger.untested(route, kind, 'no id of tenant B is known')
    return attempt(world, { ...basis, did: `asked for B’s id ${did}`, parts: add({ ...own, values: victim.values }) })
  }
  const victim = await expendable(world, slotOf(route))
  if (!victim) return void world.ledger.untested(route, kind, 'nothing of tenant B could be made that may be lost')
  return attempt(world, {
    ...basis,
    did: `wrote to B’s id ${did}`,
    parts: add({ ...own, values: victim.values }),
    victim,
  })
}

export const queryTenant = tenantNamed('query-tenant')
export const headerTenant = tenantNamed('header-tenant')
export const hostTenant = tenantNamed('host-tenant')

/** A's token at B's own address. */
export const wrongHost: Attack = {
  kinds: ['wrong-host'],
  applies: (world, route) => world.hostOfB !== undefined && route.method === 'GET',
  async run(world, route) {
    if (world.ledger.leaks(route, 'own-request', 'cache-shared', 'read-by-id')) {
      return world.ledger.untested(route, 'wrong-host', 'hidden by a plainer leak of the same route')
    }
    const { parts } = world.works.b.get(route.key) ?? world.works.a.get(route.key)!
    await attempt(world, {
      route,
      kind: 'wrong-host',
      did: 'asked as A at B’s address',
      parts: { ...parts, origin: world.hostOfB! },
    })
  },
}
