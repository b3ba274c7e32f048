/** File names and object keys that climb out of A's folder into B's. */

import type { Route } from '../api-description.ts'
import { attempt } from '../attempt.ts'
import { namesReference, slotOf } from '../slots.ts'
import { hasParameters, heldIn, type World } from '../world.ts'
import { type Attack, isObject, ownRequest, victimOf } from './attack.ts'

const NAMES = /^(file|file_?name|filename|name|key|object_?key|path|object|blob|attachment)$/i

const lastParameter = (route: Route) => route.parameters.filter(({ in: place }) => place === 'path').at(-1)?.name ?? ''
const namedByPath = (route: Route): boolean => hasParameters(route) && NAMES.test(lastParameter(route))
const namedByQuery = (route: Route) =>
  route.parameters.filter(({ in: place, name }) => place === 'query' && NAMES.test(name) && !namesReference(name))
const hasFile = (route: Route): boolean => /^multipart\/form-data/.test(route.body?.contentType ?? '')
const namedByBody = (route: Route): string[] =>
  /json/.test(route.body?.contentType ?? '')
    ? Object.keys(route.body!.shape.properties).filter((name) => /key|path|file/i.test(name) && NAMES.test(name))
    : []

/** Ways from a folder of A's to a name in one of B's, not encoded. */
const climbs = (tenant: string, name: string): string[] => [
  `../${tenant}/${name}`,
  `../../${tenant}/${name}`,
  `x/../../${tenant}/${name}`,
  `/${tenant}/${name}`,
  `..\\${tenant}\\${name}`,
  `....//${tenant}/${name}`,
  `%2e%2e%2f${tenant}%2f${name}`,
  `${tenant}/${name}`,
]

export const fileName: Attack = {
  kinds: ['file-name'],
  applies: (_world, route) =>
    namedByPath(route) ||
    hasFile(route) ||
    namedByBody(route).length > 0 ||
    (route.method === 'GET' && namedByQuery(route).length > 0),
  async run(world, route) {
    const { ledger, b } = world
    if (b.ids.length === 0)
      return ledger.untested(route, 'file-name', 'the name or id of tenant B is not known; tell it with --tenant-b')
    if (ledger.leaks(route, 'read-by-id', 'cache-shared', 'update-by-id', 'delete-by-id'))
      return ledger.untested(route, 'file-name', 'hidden by a plainer leak of the same route')
    for (const tenant of b.ids.slice(0, 3)) if (await climb(world, route, tenant)) return
  },
}

async function climb(world: World, route: Route, tenant: string): Promise<boolean> {
  const { b } = world
  const victim = namedByPath(route)
    ? victimOf(world, route)
    : b.held.find(({ slot }) => NAMES.test(world.slots.get(slot)?.parameter ?? ''))
  const name = victim?.values.at(-1) ?? 'file.txt'
  const watched = victim && heldIn(b, victim.slot).includes(victim) && route.method !== 'GET' ? { victim } : {}
  for (const way of climbs(tenant, name)) {
    const { texts, ...parts } = ownRequest(world, route)
    const did = `named the file ${way} as A`
    // The victim is read again; what is written lies there under the same name.
    const common = {
      route,
      kind: 'file-name' as const,
      did,
      ...watched,
      ...(route.method === 'GET' ? {} : { sent: { texts, slot: victim?.slot ?? slotOf(route) } }),
    }
    const tries = [
      ...(namedByPath(route) ? [{ ...parts, values: [...parts.values.slice(0, -1), way] }] : []),
      ...(route.method === 'GET'
        ? namedByQuery(route).map((parameter) => ({
            ...parts,
            query: [...parts.query, [parameter.name, way] as const],
          }))
        : []),
      ...(hasFile(route) ? [{ ...parts, fileName: way }] : []),
      ...namedByBody(route).map((member) => ({
        ...parts,
        body: isObject(parts.body) ? { ...parts.body, [member]: way } : parts.body,
      })),
    ]
    for (const one of tries) if ((await attempt(world, { ...common, parts: one })).leaked) return true
  }
  return false
}
