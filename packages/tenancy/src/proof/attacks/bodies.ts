/** What is B's in the body: its name as the owner, references to its things, among own ones in a batch, in filters. */

import type { Route, Shape } from '../api-description.ts'
import { attempt, foreignTexts, madeIn } from '../attempt.ts'
import { succeeded } from '../exchange.ts'
import { idsIn } from '../make.ts'
import { similarId } from '../random.ts'
import { noParts, type Parts } from '../request.ts'
import type { Path } from '../shape-value.ts'
import { type Slot, slotOf } from '../slots.ts'
import type { Held } from '../tenant.ts'
import { hasParameters, heldIn, referredSlot, send, type World } from '../world.ts'
import { type Attack, expendable, isObject, ownRequest } from './attack.ts'
import { tenantNames } from './tenant-names.ts'

const hasBody = (world: World, route: Route): boolean =>
  route.method !== 'GET' && (route.body !== undefined || world.hints.bodies?.[route.key] !== undefined)

type Placement = { did: string; place: (body: unknown, id: string) => unknown }

/** Where a body may say whose the record is. */
function placements(names: readonly string[]): { together: Placement; single: Placement[] } {
  const spread = (body: unknown, members: Record<string, unknown>): unknown =>
    Array.isArray(body) ? body.map((one) => spread(one, members)) : isObject(body) ? { ...body, ...members } : body
  const flat = names.map(
    (name): Placement => ({ did: `with ${name} of B`, place: (body, id) => spread(body, { [name]: id }) }),
  )
  const nested: Placement[] = [
    { did: 'with tenant.id of B', place: (body, id) => spread(body, { tenant: { id } }) },
    { did: 'with metadata.tenantId of B', place: (body, id) => spread(body, { metadata: { tenantId: id } }) },
    { did: 'with owner.tenantId of B', place: (body, id) => spread(body, { owner: { tenantId: id } }) },
    {
      did: 'with tenantId of B in each member that is an object',
      place: (body, id) =>
        isObject(body)
          ? Object.fromEntries(
              Object.entries(body).map(([name, one]) => [
                name,
                isObject(one) && !FILTERS.test(name) ? { ...one, tenantId: id } : one,
              ]),
            )
          : body,
    },
  ]
  const together: Placement = {
    did: 'with B as the tenant under every name',
    place: (body, id) => spread(body, Object.fromEntries(names.map((name) => [name, id]))),
  }
  return { together, single: [...flat, ...nested] }
}

export const bodyTenant: Attack = {
  kinds: ['body-tenant'],
  applies: (world, route) =>
    hasBody(world, route) && (route.method === 'POST' || (route.method === 'PUT' && !hasParameters(route))),
  async run(world, route) {
    const { ledger, b } = world
    if (ledger.leaks(route, 'create-under'))
      return ledger.untested(route, 'body-tenant', 'hidden by a plainer leak of the same route')
    if (b.ids.length === 0)
      return ledger.untested(route, 'body-tenant', 'the name or id of tenant B is not known; tell it with --tenant-b')
    const { together, single } = placements(tenantNames(route, 'body'))
    for (const id of b.ids.slice(0, 3)) {
      const tryIt = async ({ did, place }: Placement) => {
        const { texts, ...parts } = ownRequest(world, route)
        const body = place(parts.body, id)
        return attempt(world, {
          route,
          kind: 'body-tenant',
          did: `sent as A ${did}`,
          parts: { ...parts, body },
          sent: { texts, slot: madeIn(world, route) },
        })
      }
      const first = await tryIt(together)
      if (!first.leaked && first.answer && succeeded(first.answer)) {
        for (const one of single.slice(-4)) if ((await tryIt(one)).leaked) return
        continue
      }
      for (const one of single) if ((await tryIt(one)).leaked) return
      if (first.leaked) return
    }
  },
}

export const move: Attack = {
  kinds: ['move'],
  applies: (world, route) =>
    hasBody(world, route) && hasParameters(route) && (route.method === 'PATCH' || route.method === 'PUT'),
  async run(world, route) {
    const { ledger, a, b } = world
    if (ledger.leaks(route, 'update-by-id'))
      return ledger.untested(route, 'move', 'hidden by a plainer leak of the same route')
    const slot = slotOf(route)
    const [own, foreign] = [a.ids[0], b.ids[0]]
    if (own === undefined || foreign === undefined)
      return ledger.untested(
        route,
        'move',
        'the names or ids of the tenants are not known; tell them with --tenant-a and --tenant-b',
      )
    const { together, single } = placements(tenantNames(route, 'body'))
    const give = async ({ did, place }: Placement) => {
      const { texts, ...parts } = ownRequest(world, route)
      const mine = heldIn(a, slot!).find(({ made }) => made)?.values ?? parts.values
      return attempt(world, {
        route,
        kind: 'move',
        did: `changed A’s own ${did}`,
        parts: { ...parts, values: mine, body: place(parts.body, foreign) },
        sent: { texts, slot },
      })
    }
    const first = await give(together)
    if (first.leaked || !first.answer || !succeeded(first.answer)) {
      for (const one of single) if ((await give(one)).leaked) return
      if (first.leaked) return
    }
    const victim = await expendable(world, slot)
    if (!victim) return
    const { texts: _, ...parts } = ownRequest(world, route)
    await attempt(world, {
      route,
      kind: 'move',
      did: 'changed B’s thing, with A as its tenant under every name',
      parts: { ...parts, values: victim.values, body: together.place(parts.body, own) },
      victim,
    })
  },
}

/** Each place in a body's shape that speaks of something else: the way to it, and where that is found. */
function references(world: World, route: Route, shape: Shape, path: Path = []): { path: Path; slot: Slot }[] {
  const here =
    path.length > 0 && shape.type !== 'object' && shape.type !== 'array' ? referredSlot(world, route, path) : undefined
  return [
    ...(here && here !== 'tenant' ? [{ path, slot: here }] : []),
    ...Object.entries(shape.properties).flatMap(([name, one]) => references(world, route, one, [...path, name])),
    ...(shape.items ? references(world, route, shape.items, [...path, '[]']) : []),
  ]
}

function replaced(body: unknown, path: Path, value: (old: unknown) => unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined) return value(body)
  if (step === '[]') return Array.isArray(body) ? body.map((one) => replaced(one, rest, value)) : body
  return isObject(body)
    ? { ...body, [step]: replaced(body[step] ?? (rest.length > 0 ? {} : undefined), rest, value) }
    : body
}

const likeOld = (id: string) => (old: unknown) => (typeof old === 'number' ? Number(id) : id)

export const bodyReference: Attack = {
  kinds: ['body-reference'],
  applies: (world, route) =>
    route.body !== undefined && references(world, route, route.body.shape).some(({ path }) => !path.includes('[]')),
  async run(world, route) {
    for (const { path, slot } of references(world, route, route.body!.shape)) {
      if (path.includes('[]')) continue
      const victim = heldIn(world.b, slot.path)[0]
      if (!victim) continue
      const id = victim.values.at(-1)!
      const { texts, ...parts } = ownRequest(world, route)
      const did = `sent as A with B’s id in ${path.join('.')}`
      const asked: Parts = { ...parts, body: replaced(parts.body, path, likeOld(id)) }
      const { answer, leaked } = await attempt(world, {
        route,
        kind: 'body-reference',
        did,
        parts: asked,
        victim,
        sent: { texts, slot: madeIn(world, route) },
      })
      if (leaked) return
      if (!answer || !succeeded(answer)) continue
      const never = similarId(
        id,
        [...heldIn(world.a, slot.path), ...heldIn(world.b, slot.path)].map(({ values }) => values.at(-1)!),
        world.random,
      )
      const { texts: _, ...control } = ownRequest(world, route)
      const refused = await send(
        world,
        route,
        { ...control, body: replaced(control.body, path, likeOld(never)) },
        world.a,
      )
      if (!succeeded(refused)) {
        world.ledger.leak(route, 'body-reference', {
          did,
          shows: `it is accepted (${answer.status}); an id that never was gets ${refused.status}`,
          answer,
        })
        return
      }
      await readBack(world, route, did, answer)
    }
  },
}

/** What was made with a foreign reference may show more when it is read. */
async function readBack(
  world: World,
  route: Route,
  did: string,
  made: Awaited<ReturnType<typeof send>>,
): Promise<void> {
  const slot = world.slots.get(madeIn(world, route) ?? '')
  if (!slot?.read || !slot.makes.includes(route)) return
  const { values: parents } = world.works.a.get(route.key)!.parts
  for (const id of idsIn(made, slot).slice(0, 2)) {
    const answer = await send(world, slot.read, { ...noParts, values: [...parents, id] }, world.a)
    const shown = foreignTexts(world, answer, 'b')
    if (shown.length > 0)
      world.ledger.leak(route, 'body-reference', {
        did: `${did}, and read what was made`,
        shows: `the answer holds “${shown[0]}”, which only tenant B may see`,
        answer,
        around: shown[0]!,
      })
  }
}

export const batch: Attack = {
  kinds: ['batch'],
  applies: (world, route) =>
    route.body !== undefined && references(world, route, route.body.shape).some(({ path }) => path.includes('[]')),
  async run(world, route) {
    for (const { path, slot } of references(world, route, route.body!.shape)) {
      const at = path.indexOf('[]')
      if (at < 0) continue
      for (const order of ['after', 'before', 'alone'] as const) {
        const victim = (await expendable(world, slot.path)) ?? heldIn(world.b, slot.path)[0]
        if (!victim) continue
        const { texts: _, ...parts } = ownRequest(world, route)
        const body = replaced(parts.body, path.slice(0, at), (list) => mixed(list, path.slice(at + 1), victim, order))
        const did = `sent as A a batch with B’s id ${order === 'alone' ? 'alone' : `${order} an own one`} in ${path.join('.') || 'it'}`
        if ((await attempt(world, { route, kind: 'batch', did, parts: { ...parts, body }, victim })).leaked) return
      }
    }
  },
}

function mixed(list: unknown, rest: Path, victim: Held, order: 'after' | 'before' | 'alone'): unknown {
  const own = Array.isArray(list) ? list.slice(0, 1) : []
  const foreign = own.map((one) => replaced(one, rest, likeOld(victim.values.at(-1)!)))
  return order === 'alone' ? foreign : order === 'after' ? [...own, ...foreign] : [...foreign, ...own]
}

const FILTERS = /^(filters?|where|query|criteria|conditions?|selector|search|match)$/i

export const filterObject: Attack = {
  kinds: ['filter-object'],
  applies: (_world, route) =>
    route.method === 'POST' &&
    Object.entries(route.body?.shape.properties ?? {}).some(
      ([name, shape]) => FILTERS.test(name) && shape.type !== 'string',
    ),
  async run(world, route) {
    const names = Object.entries(route.body!.shape.properties)
      .filter(([name, shape]) => FILTERS.test(name) && shape.type !== 'string')
      .map(([name]) => name)
    const [tenant = 'x'] = world.b.ids
    const held = world.b.held.find(({ made }) => made) ?? world.b.held[0]
    const id = held?.values.at(-1) ?? 'x'
    const conditions: unknown[] = [
      {},
      { tenantId: tenant },
      { tenant_id: tenant },
      { tenantId: { eq: tenant } },
      { tenantId: { _eq: tenant } },
      { tenantId: { $ne: null } },
      { tenantId: { ne: '' } },
      { id },
      { id: { eq: id } },
      { id: { in: [id] } },
      { OR: [{}, { tenantId: tenant }] },
      { or: [{ id: { ne: '' } }, { tenantId: tenant }] },
      { $or: [{}, { tenantId: tenant }] },
      { _or: [{}, { tenantId: { _eq: tenant } }] },
      { NOT: { tenantId: world.a.ids[0] ?? 'x' } },
      { $where: 'true' },
      { name: { contains: '' } },
      { name: { $regex: '.*' } },
      [{ field: 'tenantId', operator: 'eq', value: tenant }],
    ]
    for (const name of names) {
      for (const condition of conditions) {
        const { texts: _, ...parts } = ownRequest(world, route)
        const body = { ...(parts.body as object), [name]: condition }
        const did = `sent as A with ${name} ${JSON.stringify(condition)}`
        if ((await attempt(world, { route, kind: 'filter-object', did, parts: { ...parts, body } })).leaked) return
      }
    }
  },
}
