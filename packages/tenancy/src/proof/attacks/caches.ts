/** What caches keep of B for A, and what answers allow them to keep. */
import { attempt, foreignTexts } from '../attempt.ts'
import { succeeded } from '../exchange.ts'
import { limitOf } from '../look.ts'
import type { Parts } from '../request.ts'
import { hasParameters, send } from '../world.ts'
import { type Attack, victimOf } from './attack.ts'

export const sharedCache: Attack = {
  kinds: ['cache-shared'],
  applies: (_world, route) => route.method === 'GET',
  async run(world, route) {
    const { ledger, b } = world
    if (ledger.leaks(route, 'own-request', 'read-by-id'))
      return ledger.untested(route, 'cache-shared', 'hidden by a plainer leak of the same route')
    if (ledger.leaks(route, 'cache-shared')) return
    const worked = world.works.b.get(route.key)
    if (!worked)
      return ledger.untested(route, 'cache-shared', world.fails.b.get(route.key) ?? 'it does not answer tenant B')
    // A URL that nobody has asked for, first by B and then by A.
    const limit = limitOf(route)
    const fresh: [string, string][][] = [
      [['_', world.random.text(8)]],
      ...(limit ? [[[limit.name, String(Math.min(61, limit.shape.maximum ?? 61))] as [string, string]]] : []),
      [],
    ]
    for (const pairs of fresh) {
      const parts: Parts = { ...worked.parts, query: [...worked.parts.query, ...pairs] }
      const filled = await send(world, route, parts, b)
      if (!succeeded(filled) || foreignTexts(world, filled, 'b').length === 0) continue
      const did = 'asked as A for what B had just asked for, at the same URL'
      if ((await attempt(world, { route, kind: 'cache-shared', did, parts })).leaked) return
    }
  },
}

export const cacheValidator: Attack = {
  kinds: ['cache-validator'],
  applies: (_world, route) => route.method === 'GET',
  async run(world, route) {
    const { ledger, a, b } = world
    if (ledger.leaks(route, 'own-request', 'read-by-id'))
      return ledger.untested(route, 'cache-validator', 'hidden by a plainer leak of the same route')
    const worked = world.works.b.get(route.key)
    if (!worked)
      return ledger.untested(route, 'cache-validator', world.fails.b.get(route.key) ?? 'it does not answer tenant B')
    const parts = hasParameters(route)
      ? { ...worked.parts, values: victimOf(world, route)?.values ?? worked.parts.values }
      : worked.parts
    const ofB = await send(world, route, parts, b)
    const validators: [string, string][] = [
      ['if-none-match', ofB.headers.etag ?? ''],
      ['if-modified-since', ofB.headers['last-modified'] ?? ''],
    ]
    const given = validators.filter(([, value]) => value !== '')
    if (!succeeded(ofB) || given.length === 0)
      return ledger.untested(route, 'cache-validator', 'its answers carry neither ETag nor Last-Modified')
    const plain = await send(world, route, parts, a)
    for (const [name, value] of given) {
      // Two that are alike anyway (an empty list's) say nothing.
      if (plain.headers[name === 'if-none-match' ? 'etag' : 'last-modified'] === value) continue
      const answer = await send(world, route, { ...parts, headers: { ...parts.headers, [name]: value } }, a)
      if (answer.status === 304) {
        ledger.leak(route, 'cache-validator', {
          did: `asked as A with ${name} of B’s answer`,
          shows: `it confirms it with 304; without, A is answered ${plain.status}`,
          answer,
        })
        return
      }
      ledger.held(route, 'cache-validator')
    }
  },
}

export const publicCache: Attack = {
  kinds: ['cache-public'],
  applies: (_world, route) => route.method === 'GET',
  async run(world, route) {
    const { answer } = world.works.a.get(route.key)!
    // RFC 9111 §3.5: an answer to a request with Authorization is kept by a shared cache only where one of these allows it.
    const allowed =
      /(^|[\s,])(public|s-maxage=[1-9])/i.test(answer.headers['cache-control'] ?? '') &&
      !/private|no-store/i.test(answer.headers['cache-control'] ?? '')
    const varies = /authorization|\*/i.test(answer.headers.vary ?? '')
    const [own] = foreignTexts(world, answer, 'a')
    if (own === undefined)
      return world.ledger.untested(route, 'cache-public', 'its answer holds nothing that tells tenants apart')
    if (!allowed || varies) return world.ledger.held(route, 'cache-public')
    world.ledger.leak(route, 'cache-public', {
      did: 'asked as A for A’s own',
      shows: `the answer with “${own}” says cache-control: ${answer.headers['cache-control']}`,
      answer,
      around: answer.headers['cache-control']!,
    })
  },
}
