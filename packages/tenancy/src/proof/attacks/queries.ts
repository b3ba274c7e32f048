/** Query parameters that the description offers, with what is B's; given twice; and words that widen an answer. */

import type { Parameter, Route } from '../api-description.ts'
import { attempt } from '../attempt.ts'
import { CURSORS, limitOf } from '../look.ts'
import type { Parts } from '../request.ts'
import { isTenantNoun, namesReference, nounOf, slotNamed } from '../slots.ts'
import { heldIn, queryOf, type World } from '../world.ts'
import type { Attack } from './attack.ts'

type Pairs = readonly (readonly [string, string])[]

const withQuery = (parts: Parts, pairs: Pairs): Parts => ({
  ...parts,
  query: [...parts.query.filter(([name]) => !pairs.some(([ours]) => ours === name)), ...pairs],
})

const filters = (route: Route): Parameter[] =>
  queryOf(route).filter(
    (parameter) =>
      parameter !== limitOf(route) && !CURSORS.test(parameter.name) && !isTenantNoun(nounOf(parameter.name)),
  )

/** Ids of both tenants that a parameter may speak of: what its name says, or what the route lists. */
function spokenOf(
  world: World,
  route: Route,
  { name, shape }: Parameter,
): { own?: string; foreign: string; markers: readonly string[] } | undefined {
  if (shape.type === 'boolean' || shape.values) return undefined
  const named = slotNamed(world.slots, namesReference(name) || nounOf(name) !== '' ? name : 'id', route.path)
  const slot = named ?? listedBy(world, route)
  const held = slot && heldIn(world.b, slot.path)[0]
  if (!held) return undefined
  const own = heldIn(world.a, slot.path)[0]?.values.at(-1)
  return { foreign: held.values.at(-1)!, markers: held.markers, ...(own === undefined ? {} : { own }) }
}

const listedBy = ({ slots }: World, route: Route) => [...slots.values()].find(({ list }) => list === route)

export const queryReference: Attack = {
  kinds: ['query-reference'],
  applies: (_world, route) =>
    route.method === 'GET' && filters(route).some(({ shape }) => shape.type !== 'boolean' && !shape.values),
  async run(world, route) {
    if (hiddenByPlainer(world, route, 'query-reference')) return
    const { parts } = world.works.a.get(route.key)!
    for (const parameter of filters(route)) {
      const spoken = spokenOf(world, route, parameter)
      if (!spoken) continue
      const listed = listedBy(world, route)
      const texts = (listed && heldIn(world.b, listed.path)[0]?.markers) ?? []
      for (const value of new Set([spoken.foreign, ...spoken.markers.slice(0, 2), ...texts.slice(0, 3)])) {
        const did = `asked as A with B’s ${value === spoken.foreign ? 'id' : 'text'} in ${parameter.name}`
        if (
          (
            await attempt(world, {
              route,
              kind: 'query-reference',
              did,
              parts: withQuery(parts, [[parameter.name, value]]),
            })
          ).leaked
        )
          return
      }
    }
  },
}

export const queryRepeated: Attack = {
  kinds: ['query-repeated'],
  applies: (_world, route) =>
    route.method === 'GET' && filters(route).some(({ name, shape }) => namesReference(name) || shape.type === 'array'),
  async run(world, route) {
    if (hiddenByPlainer(world, route, 'query-repeated')) return
    const { parts } = world.works.a.get(route.key)!
    for (const parameter of filters(route)) {
      const { name } = parameter
      if (!namesReference(name) && parameter.shape.type !== 'array') continue
      const spoken = spokenOf(world, route, parameter)
      if (!spoken?.own) continue
      const { own, foreign } = spoken
      const forms: Pairs[] = [
        [
          [name, own],
          [name, foreign],
        ],
        [
          [name, foreign],
          [name, own],
        ],
        [
          [`${name}[]`, own],
          [`${name}[]`, foreign],
        ],
        [[`${name}[]`, foreign]],
        [
          [`${name}[0]`, own],
          [`${name}[1]`, foreign],
        ],
        [[name, `${own},${foreign}`]],
        [[name, `${foreign},${own}`]],
        [[name, JSON.stringify([own, foreign])]],
      ]
      for (const pairs of forms) {
        const did = `asked as A with an own id and one of B’s in ${[...new Set(pairs.map(([given]) => given))].join(', ')}`
        if ((await attempt(world, { route, kind: 'query-repeated', did, parts: withQuery(parts, pairs) })).leaked)
          return
      }
    }
  },
}

const WIDENING: Pairs = [
  ['all', 'true'],
  ['scope', 'all'],
  ['include', '*'],
  ['expand', '*'],
  ['fields', '*'],
  ['global', 'true'],
  ['admin', 'true'],
  ['deleted', 'true'],
  ['with_deleted', 'true'],
  ['includeDeleted', 'true'],
  ['debug', 'true'],
]

export const queryWidening: Attack = {
  kinds: ['query-widening'],
  applies: (_world, route) => route.method === 'GET',
  async run(world, route) {
    if (hiddenByPlainer(world, route, 'query-widening')) return
    const { parts } = world.works.a.get(route.key)!
    const nouns = [...world.slots.values()].map(({ noun }) => noun)
    const offered = filters(route).flatMap((parameter): Pairs => {
      const { name, shape } = parameter
      if (shape.type === 'boolean')
        return [
          [name, 'true'],
          [name, 'false'],
        ]
      if (shape.values) return shape.values.map((value) => [name, String(value)] as const)
      if (/^(include|expand|with|embed|scope|fields|view)s?$/i.test(name))
        return ['*', 'all', 'deleted', ...nouns, ...nouns.map((noun) => `${noun}s`)].map(
          (value) => [name, value] as const,
        )
      if (/^(sort|order|order_?by)$/i.test(name))
        return [
          [name, 'tenantId'],
          [name, '-tenantId'],
          [name, 'tenant_id'],
        ]
      return /^(q|query|search|filter|where)$/i.test(name)
        ? ['%', '*', '', "' or 1=1 --", '"', '.*'].map((value) => [name, value] as const)
        : []
    })
    const [tenant = 'x'] = world.b.ids
    const conditions: Pairs = [
      ['filter[tenantId]', tenant],
      ['filter[tenantId][ne]', 'x'],
      ['filter[tenant_id]', tenant],
      ['filter', JSON.stringify({ tenantId: tenant })],
      ['filter', JSON.stringify({ or: [{}, { id: { ne: null } }] })],
      ['where', JSON.stringify({ tenantId: { $ne: null } })],
      ['$filter', "tenantId ne ''"],
      ['q', '*'],
    ]
    for (const pair of [...offered, ...conditions]) {
      const did = `asked as A with ${pair[0]}=${pair[1]}`
      if ((await attempt(world, { route, kind: 'query-widening', did, parts: withQuery(parts, [pair]) })).leaked) return
    }
    const all = await attempt(world, {
      route,
      kind: 'query-widening',
      did: `asked as A with ${WIDENING.map((pair) => pair.join('=')).join('&')}`,
      parts: withQuery(parts, WIDENING),
    })
    if (!all.leaked && all.answer?.status !== 400 && all.answer?.status !== 422) return
    for (const pair of WIDENING) {
      const did = `asked as A with ${pair[0]}=${pair[1]}`
      if ((await attempt(world, { route, kind: 'query-widening', did, parts: withQuery(parts, [pair]) })).leaked) return
    }
  },
}

function hiddenByPlainer(
  { ledger }: World,
  route: Route,
  kind: 'query-reference' | 'query-repeated' | 'query-widening',
): boolean {
  const hidden = ledger.leaks(
    route,
    'own-request',
    'cache-shared',
    ...(kind === 'query-repeated' ? (['query-reference'] as const) : []),
  )
  if (hidden) ledger.untested(route, kind, 'hidden by a plainer leak of the same route')
  return hidden
}
