/**
 * Bodies that no client sends, at every route there is: the cases are made from the table of routes, so a new route is
 * covered the day it is mounted. Whatever comes in, the answer is a refusal in the shape of its surface, tells nothing of
 * the inside, and nothing is written.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { openBrowser } from '@tenantry/identity/oauth/fixture.ts'
import type { Ask } from '@tenantry/identity/testing.ts'
import { type EveryRoute, isManagement, isRefusal, startEveryRoute, takesBody, takesFiles } from './every-route.ts'

let server: EveryRoute
before(async () => {
  server = await startEveryRoute()
})
after(() => server?.close())

const JSON_TYPE = { 'content-type': 'application/json' }
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }

/** What no parser lets through, whatever the route. */
const UNREADABLE: [string, Ask, number[]][] = [
  ['half a JSON', { body: '{"a":', headers: JSON_TYPE }, [400]],
  ['two JSON values', { body: '{}{}', headers: JSON_TYPE }, [400]],
  ['a NUL', { body: '{"name":"a\\u0000b"}', headers: JSON_TYPE }, [400]],
  ['half a surrogate pair', { body: '{"name":"\\ud800"}', headers: JSON_TYPE }, [400]],
  ['a member twice', { body: '{"name":"x","name":"y"}', headers: JSON_TYPE }, [400]],
  ['a member twice, deep down', { body: '{"metadata":{"a":[{"b":1,"\\u0062":2}]}}', headers: JSON_TYPE }, [400]],
  [
    'a hundred thousand members',
    { body: `{${Array.from({ length: 100_000 }, (_, n) => `"${n}":1`)}}`, headers: JSON_TYPE },
    [400, 413],
  ],
  [
    'a bomb that would inflate',
    { body: gzipSync('{"name":"a"}'), headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } },
    [400, 415],
  ],
  ['a prototype', { body: '{"__proto__":{"name":"x"}}', headers: JSON_TYPE }, [400]],
  [
    'bytes that are no UTF-8',
    { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), headers: JSON_TYPE },
    [400],
  ],
  ['JSON nested too deep', { body: `${'['.repeat(100_000)}${']'.repeat(100_000)}`, headers: JSON_TYPE }, [400, 413]],
  ['a form with a parameter twice', { body: 'a=1&a=2', headers: FORM_TYPE }, [400]],
  ['a form with a broken percent sign', { body: 'a=%zz', headers: FORM_TYPE }, [400]],
  ['a form with a NUL', { body: 'a=%00', headers: FORM_TYPE }, [400]],
  ['a form that is no UTF-8', { body: Buffer.from([0x61, 0x3d, 0xff]), headers: FORM_TYPE }, [400]],
  ['a text', { body: 'hello', headers: { 'content-type': 'text/plain' } }, [415]],
  ['a multipart body', { body: '--x--', headers: { 'content-type': 'multipart/form-data; boundary=x' } }, [415]],
  ['XML', { body: '<a/>', headers: { 'content-type': 'application/xml' } }, [415]],
  ['a body said to be huge', { headers: { ...JSON_TYPE, 'content-length': '2000000' } }, [413]],
]

test('N146 a body that cannot be read is refused at every route that takes one', async () => {
  const { routes, fill, send, without } = server
  const all = routes(takesBody)
  assert.ok(all.length > 50, `${all.length} routes`)
  await without(async () => {
    for (const route of all) {
      for (const [what, ask, statuses] of UNREADABLE) {
        isRefusal(route, await send(route, fill(route), ask), what, statuses)
      }
    }
  })
})

test('N103 a body of the wrong shape is refused: other types, unknown members, members of other types', async () => {
  const { routes, fill, send, without } = server
  const declared = routes((route) => isManagement(route) && route.schema?.body !== undefined)
  assert.ok(declared.length > 25, `${declared.length} routes`)
  await without(async () => {
    for (const route of declared) {
      const schema = route.schema!.body as { properties?: Record<string, object>; type?: string; minItems?: number }
      const bodies: [string, string][] = [
        ...['null', 'true', '1', '"text"', '[]', '[[]]', '[null]']
          .filter((text) => text !== '[]' || !mayBeEmpty(schema))
          .map((text): [string, string] => [text, text]),
        ['an unknown member', '{"marked_unknown":1}'],
        ['a member of the prototype', '{"constructor":{"prototype":{"x":1}}}'],
        ...Object.keys(schema.properties ?? {}).flatMap((name): [string, string][] => [
          [`${name} as nested arrays`, JSON.stringify({ [name]: [[['x']]] })],
          [`${name} beside an unknown member`, JSON.stringify({ [name]: {}, marked_unknown: 1 })],
        ]),
      ]
      for (const [what, body] of bodies) {
        const answer = await send(route, fill(route), { body, headers: JSON_TYPE })
        isRefusal(route, answer, what)
      }
    }
  })
})

/** A list that says `none` by being empty. */
const mayBeEmpty = (schema: { type?: string; minItems?: number }): boolean =>
  schema.type === 'array' && (schema.minItems ?? 0) === 0

test('protocol and pages take texts alone: other types, other shapes and unknown states are refused', async () => {
  const { world, routes, fill, send, without } = server
  const browser = openBrowser(world.env)
  await browser.visit(world.authorize().path)
  // The account page sends whoever is not signed in to a sign-in, whatever was posted; nothing is read before.
  // Three more want a token first.
  const elsewhere = (url: string) =>
    ['/userinfo', '/mfa/associate', '/mfa/authenticators/:id'].includes(url) || url.startsWith('/account')
  const others = routes((route) => takesBody(route) && !isManagement(route) && !elsewhere(route.url))
  assert.ok(others.length >= 7, `${others.length} routes`)
  const bodies = [
    'null',
    'true',
    '1',
    '"text"',
    '[]',
    '{"client_id":["a"]}',
    '{"state":{"a":1}}',
    '{"token":7}',
    '{"_csrf":true}',
  ]
  await without(async () => {
    for (const route of others) {
      for (const body of bodies) {
        const answer = await send(route, fill(route), { body, headers: JSON_TYPE })
        isRefusal(route, answer, body, [400])
      }
    }
  })
})

test('N147 another content type, however it is written, gets no body past what is checked of JSON', async () => {
  const { routes, fill, send, without } = server
  const all = routes((route) => isManagement(route) && route.schema?.body !== undefined && !takesFiles(route))
  const body = '{"marked_unknown":1}'
  await without(async () => {
    for (const route of all) {
      for (const type of [
        'APPLICATION/JSON',
        'application/json\t; charset=utf-8',
        ' application/json',
        'application/json; charset=utf-16',
        'application/json;',
        'application/json, text/plain',
        'application/jsonx',
        'text/json',
        'application/vnd.api+json',
        '',
      ]) {
        isRefusal(route, await send(route, fill(route), { body, headers: { 'content-type': type } }), type, [400, 415])
      }
    }
  })
})
