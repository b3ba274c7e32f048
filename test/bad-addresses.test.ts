/** Addresses that no client asks for, at every route there is: queries, ids that are none, ids of others. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type EveryRoute, isManagement, isRefusal, startEveryRoute, takesBody } from './every-route.ts'

let server: EveryRoute
before(async () => {
  server = await startEveryRoute()
})
after(() => server?.close())

test('a query that is not declared, comes twice or is of another type is refused by every list', async () => {
  const { routes, fill, send, without } = server
  const declared = routes((route) => isManagement(route) && route.schema?.querystring !== undefined)
  assert.ok(declared.length > 15, `${declared.length} routes`)
  await without(async () => {
    for (const route of declared) {
      const { properties = {} } = route.schema!.querystring as { properties?: Record<string, { type?: string }> }
      const path = fill(route)
      // Lists of what is not here take the filters that Auth0's have, whatever they are: nothing passes them.
      const isEmpty = (route.schema as { tags?: string[] }).tags?.includes('none')
      const queries = isEmpty ? [] : ['marked_unknown=1', '__proto__=1', 'constructor=1']
      for (const [name, { type }] of Object.entries(properties)) {
        queries.push(`${name}=%00`)
        if (type !== undefined && type !== 'array') queries.push(`${name}=1&${name}=2`)
        if (type === 'integer') queries.push(`${name}=-1`, `${name}=1.5`, `${name}=x`, `${name}=1e99`)
        if (type === 'boolean') queries.push(`${name}=maybe`)
        if (type === 'string') queries.push(`${name}=${'x'.repeat(9000)}`)
      }
      for (const query of queries) isRefusal(route, await send(route, `${path}?${query}`), query, [400])
    }
  })
})

test('N143 an id that is none finds nothing, at every route that has one in its path', async () => {
  const { routes, fill, send, without } = server
  const all = routes((route) => route.url.includes('/:') && isManagement(route))
  assert.ok(all.length > 40, `${all.length} routes`)
  const ids = [
    '%00',
    'a%00b',
    '%zz',
    '%ff',
    '..%2f..%2fusers',
    "'%20or%201=1--",
    'x'.repeat(600),
    '%20',
    'constructor',
    '%F0%9F%98%80',
  ]
  await without(async () => {
    for (const route of all) {
      for (const id of ids) {
        const answer = await send(route, fill(route, id), takesBody(route) ? { body: '{}' } : {})
        isRefusal(route, answer, id, [400, 404])
      }
    }
  })
})

test('N148 an address that is broken is refused as the part of the server would that it belongs to', async () => {
  const { world, routes } = server
  for (const prefix of ['/api/v2', '/api/v2/users', '/oauth', '/u', '/dbconnections', '/.well-known', '']) {
    for (const rest of [
      '/%',
      '/%zz',
      '//',
      '//users',
      `/${'x'.repeat(9000)}`,
      '/..%2f..%2f',
      '/%2e%2e/users',
      '/\\users',
    ]) {
      for (const method of ['GET', 'POST']) {
        const answer = await world.env.request(prefix + rest, { method })
        const where = `${method} ${prefix}${rest.slice(0, 20)}: ${answer.status} ${answer.text.slice(0, 200)}`
        assert.ok([400, 401, 404, 414, 431].includes(answer.status), where)
        assert.doesNotMatch(answer.text, /node_modules|FST_|\bat .*\.[jt]s:\d+/, where)
        assert.equal(answer.headers['set-cookie'], undefined, where)
      }
    }
  }
  // What has no guard is public on purpose, and listed here by name.
  const open = routes((route) => route.url.startsWith('/api/v2') && route.config?.scope === undefined)
  assert.deepEqual([...new Set(open.map(({ url }) => url))], ['/api/v2/openapi.json'])
})

test('N03 N29 N151 an id of another environment gets, at every route, the answer of an id that never was', async () => {
  const { identity, parameters: known, routes, fill, without } = server
  const stranger = await identity.environment()
  const token = await stranger.managementToken()
  const changed = (id: string) => id.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'))
  // Triggers are words of the API, alike everywhere.
  const never = Object.fromEntries(
    Object.entries(known).map(([name, id]) => [name, name === 'trigger_id' ? id : changed(id)]),
  )
  const all = routes((route) => route.url.includes('/:') && isManagement(route))
  let compared = 0
  await without(async () => {
    for (const route of all) {
      const ask = async (ids: Record<string, string>) => {
        const path = fill(route, undefined, ids)
        const body = takesBody(route) ? { body: '{}' } : {}
        const headers = { authorization: `Bearer ${token}` }
        const { status, text } = await stranger.request(path, { method: route.method, headers, ...body })
        return { path, status, text }
      }
      const [foreign, missing] = [await ask(known), await ask(never)]
      if (foreign.path === missing.path) continue
      assert.deepEqual(
        [foreign.status, foreign.text],
        [missing.status, missing.text],
        `${route.method} ${foreign.path}`,
      )
      if (foreign.status === 404) compared++
    }
  })
  assert.ok(compared > 60, `${compared} routes answered 404`)
})
