/** Who gets past the guards of the Management API, at every route there is: nobody without a token that has the scope. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type EveryRoute, isManagement, isRefusal, startEveryRoute, takesBody } from './every-route.ts'

let server: EveryRoute
before(async () => {
  server = await startEveryRoute()
})
after(() => server?.close())

test('no route of the Management API answers without a token, or with one that lacks its scope', async () => {
  const { world, management, routes, fill, send, without } = server
  const all = routes(isManagement)
  const bare = await world.env.managementToken(['read:nothing'])
  await without(async () => {
    for (const route of all) {
      const ask = takesBody(route) ? { body: '{}' } : {}
      for (const [authorization, status] of [
        ['', 401],
        ['Bearer', 401],
        ['Bearer x.y.z', 401],
        [`Basic ${management}`, 401],
        [`Bearer ${bare}`, 403],
      ] as const) {
        const answer = await send(route, fill(route), { ...ask, headers: { authorization } })
        isRefusal(route, answer, authorization.slice(0, 12), [status])
      }
    }
  })
})

test('N152 no other verb and no header that names one gets past a guard', async () => {
  const { world, management, routes, fill, send, without } = server
  await without(async () => {
    for (const route of routes(isManagement)) {
      const path = fill(route)
      for (const method of ['HEAD', 'TRACE', 'PROPFIND']) {
        const { status } = await world.env.request(path, { method, headers: { authorization: '' } })
        assert.ok([400, 401, 404, 405].includes(status), `${method} ${path}: ${status}`)
      }
      const preflight = await world.env.request(path, { method: 'OPTIONS', headers: { authorization: '' } })
      assert.ok([204, 401, 404].includes(preflight.status), `OPTIONS ${path}: ${preflight.status}`)
      for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override', '_method']) {
        const headers = { authorization: '', [name]: 'GET' }
        const ask = takesBody(route) ? { body: '{}', headers } : { headers }
        isRefusal(route, await send(route, path, ask), name, [401])
      }
    }
    for (const route of routes((each) => isManagement(each) && each.method === 'DELETE')) {
      const headers = { authorization: `Bearer ${management}`, 'x-http-method-override': 'DELETE' }
      const { status } = await world.env.request(`${fill(route)}?_method=DELETE`, { method: 'GET', headers })
      assert.ok([400, 404, 501].includes(status), `${route.url}: ${status}`)
    }
  })
})
