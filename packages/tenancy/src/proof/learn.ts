/** Learning as each tenant, by honest requests: what it has, what it is shown, and which routes answer it. */
import type { Route } from './api-description.ts'
import { succeeded } from './exchange.ts'
import { idsListed, make, note, ownParts, parentsOf, remember } from './make.ts'
import { noParts } from './request.ts'
import { isTenantNoun, slotOf, slotsOf } from './slots.ts'
import type { Tenant } from './tenant.ts'
import { heldIn, isPublic, isWrite, ownValues, send, type World } from './world.ts'

/** Of each thing: one to read, one to compare with, one to lose. */
const EACH = 3
const ROUNDS = 3

export async function learn(world: World): Promise<void> {
  for (const tenant of [world.b, world.a]) {
    takeHints(world, tenant)
    // What is made may be what something else refers to, so that a later round succeeds where an earlier one did not.
    for (let round = 0; round < ROUNDS; round++) {
      const before = tenant.held.length
      await fillSlots(world, tenant)
      if (tenant.held.length === before) break
    }
  }
  for (const tenant of [world.b, world.a]) {
    await readLists(world, tenant)
    for (const route of inOrder(world.routes)) await tryOwn(world, tenant, route)
  }
}

function takeHints({ hints, slots }: World, tenant: Tenant): void {
  for (const [name, ids] of Object.entries(hints.ids?.[tenant.side] ?? {})) {
    const slot = name.startsWith('/')
      ? slots.get(slotsOf(name).at(-1) ?? '')
      : [...slots.values()].find(({ parameter }) => parameter === name)
    // A hint for `/projects/{id}/tasks/{taskId}` gives all values, separated by slashes.
    if (slot)
      for (const id of ids) tenant.held.push({ slot: slot.path, values: id.split('/'), made: false, markers: [] })
  }
  for (const marker of hints.markers?.[tenant.side] ?? []) tenant.markers.add(marker)
  for (const slot of slots.values()) {
    if (isTenantNoun(slot.noun) && slot.parent === undefined && heldIn(tenant, slot.path).length === 0) {
      for (const id of tenant.ids) tenant.held.push({ slot: slot.path, values: [id], made: false, markers: [] })
    }
  }
}

const byDepth = (world: World) =>
  [...world.slots.values()].sort((one, other) => one.path.split('{}').length - other.path.split('{}').length)

async function fillSlots(world: World, tenant: Tenant): Promise<void> {
  for (const slot of byDepth(world)) {
    if (isTenantNoun(slot.noun)) continue
    for (let missing = EACH - heldIn(tenant, slot.path).filter(({ made }) => made).length; missing > 0; missing--) {
      if (!(await make(world, tenant, slot))) break
    }
  }
}

/** What was there before, and what cannot be made by a route. */
async function readLists(world: World, tenant: Tenant): Promise<void> {
  for (const slot of byDepth(world)) {
    const parents = parentsOf(tenant, slot)
    if (!slot.list || parents === undefined || !world.routes.includes(slot.list)) continue
    const answer = await send(world, slot.list, { ...noParts, values: parents }, tenant)
    if (!succeeded(answer)) continue
    const known = new Set(heldIn(tenant, slot.path).map(({ values }) => values.at(-1)))
    const foreign = new Set(
      heldIn(tenant === world.a ? world.b : world.a, slot.path).map(({ values }) => values.at(-1)),
    )
    for (const id of idsListed(answer, slot).slice(0, 20)) {
      // A list that shows the other tenant's things is found later; it does not make them this one's.
      if (known.has(id) || foreign.has(id)) continue
      tenant.held.push({ slot: slot.path, values: [...parents, id], made: false, markers: [] })
    }
  }
}

/** Reading first and deleting last, so that there is something to read. */
const ORDER = ['GET', 'PUT', 'PATCH', 'POST', 'DELETE']
const inOrder = (routes: readonly Route[]) =>
  [...routes].sort((one, other) => ORDER.indexOf(one.method) - ORDER.indexOf(other.method))

async function tryOwn(world: World, tenant: Tenant, route: Route): Promise<void> {
  const { works, fails } = world
  if (works[tenant.side].has(route.key)) return
  const side = tenant.side.toUpperCase()
  if (isPublic(world, route)) return
  const slot = world.slots.get(slotOf(route) ?? '')
  const values =
    isWrite(route) && slot
      ? ((route.method === 'DELETE'
          ? await make(world, tenant, slot)
          : heldIn(tenant, slot.path).find(({ made }) => made)
        )?.values ??
        heldIn(tenant, slot.path).find(({ made, slot: path }) => made || hinted(world, tenant, path))?.values)
      : ownValues(world, tenant, route)
  if (values === undefined) {
    const name = /\{([^{}]+)\}[^{]*$/.exec(route.path)?.[1]
    if (!fails[tenant.side].has(route.key)) {
      fails[tenant.side].set(
        route.key,
        isWrite(route)
          ? `nothing was made in this run that it could be tried on as tenant ${side} ({${name}}); an id in the hints would do`
          : `no id of tenant ${side} is known for {${name}}; name one in the hints`,
      )
    }
    return
  }
  for (const parts of ownParts(world, tenant, route, values)) {
    const answer = await send(world, route, parts, tenant)
    if (succeeded(answer)) {
      remember(tenant, answer)
      works[tenant.side].set(route.key, { parts, answer })
      fails[tenant.side].delete(route.key)
      if (route.method === 'DELETE')
        tenant.held = tenant.held.filter((held) => !same(held.values, values) || held.slot !== slot?.path)
      return
    }
    note(world, tenant, route, answer)
  }
}

const hinted = ({ hints }: World, tenant: Tenant, slot: string): boolean =>
  Object.keys(hints.ids?.[tenant.side] ?? {}).some((name) => slotsOf(name).at(-1) === slot)

export const same = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((value, index) => value === other[index])
