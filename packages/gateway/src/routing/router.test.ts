import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Authorization, Route } from '../api.ts'
import { type Bench, startBench } from '../test-gateway.ts'
import { canonicalPath } from './path.ts'
import { compileRoutes } from './router.ts'

const open: Authorization = { type: 'NONE' }
const closed = (...scopes: string[]): Authorization => ({ type: 'JWT', authorizer: 'a', scopes })
const routes = (table: Readonly<Record<string, Authorization>>): Route[] =>
  Object.entries(table).map(([key, authorization]) => ({ key, integration: key, authorization }))
const finder = (table: Readonly<Record<string, Authorization>>) => {
  const router = compileRoutes(routes(table))
  return (method: string, target: string): string | null => router.find(method, canonicalPath(target)!)?.key ?? null
}

describe('the router', () => {
  it('prefers full matches to greedy ones and those to $default, and static segments to variables', () => {
    const keys = ['GET /books/top/1', 'GET /books/top/{rank}', 'GET /books/{rest+}', 'ANY /{all+}', '$default']
    const find = finder(Object.fromEntries(keys.map((key) => [key, open])))
    assert.equal(find('GET', '/books/top/1'), 'GET /books/top/1')
    assert.equal(find('GET', '/books/top/2'), 'GET /books/top/{rank}')
    assert.equal(find('GET', '/books/new/1'), 'GET /books/{rest+}')
    assert.equal(find('POST', '/anything/5'), 'ANY /{all+}')
    assert.equal(find('POST', '/books/top/1'), 'ANY /{all+}')
    assert.equal(find('GET', '/'), '$default')
    assert.equal(find('GET', '/books'), 'ANY /{all+}')
  })

  it('prefers a named method to ANY on the same path, and looks on where a path lacks the method', () => {
    const find = finder({ 'ANY /a': open, 'GET /a': open, 'GET /pets/dog/1': open, 'POST /pets/dog/{id}': open })
    assert.equal(find('GET', '/a'), 'GET /a')
    assert.equal(find('DELETE', '/a'), 'ANY /a')
    assert.equal(find('POST', '/pets/dog/1'), 'POST /pets/dog/{id}')
    assert.equal(find('PUT', '/pets/dog/1'), null)
  })

  // Rows that AWS's documentation decides, and (marked) the guesses where it is silent.
  const table: [keys: string[], request: string, chosen: string | null][] = [
    [['GET /pets/dog/1', 'GET /pets/dog/{id}'], 'GET /pets/dog/1', 'GET /pets/dog/1'],
    [['GET /pets/dog/1', 'GET /pets/dog/{id}'], 'GET /pets/dog/2', 'GET /pets/dog/{id}'],
    [['GET /pets/{id}', '$default'], 'PUT /pets/1', '$default'],
    [['GET /{all+}', '$default'], 'GET /a/b/c', 'GET /{all+}'],
    [['GET /{all+}', 'GET /a/{rest+}', 'GET /a/b/{rest+}'], 'GET /a/b/c', 'GET /a/b/{rest+}'],
    [['GET /{all+}', 'GET /a/{rest+}'], 'GET /a/b/c', 'GET /a/{rest+}'],
    [['ANY /a/{x}', 'GET /a/{rest+}'], 'GET /a/b', 'ANY /a/{x}'],
    [['OPTIONS /{proxy+}', '$default'], 'OPTIONS /a', 'OPTIONS /{proxy+}'],
    // Guess: the path decides before the method.
    [['ANY /a/b', 'GET /a/{x}'], 'GET /a/b', 'ANY /a/b'],
    [['ANY /a/{rest+}', 'GET /{all+}'], 'GET /a/b', 'ANY /a/{rest+}'],
    // Guess: a variable is less specific than static text at the first place where two paths differ.
    [['GET /{x}/b', 'GET /a/{y}'], 'GET /a/b', 'GET /a/{y}'],
    [['GET /{x}/b/{rest+}', 'GET /a/{rest+}'], 'GET /a/b/c', 'GET /a/{rest+}'],
    [['GET /{x}/b/c', 'GET /a/{y}/d'], 'GET /a/b/c', 'GET /{x}/b/c'],
    // Guess: a greedy variable needs something to match, and a trailing slash is nothing.
    [['GET /books/{rest+}'], 'GET /books', null],
    [['GET /books/{rest+}'], 'GET /books/', null],
    [['ANY /{all+}', '$default'], 'GET /', '$default'],
    [['GET /'], 'GET /', 'GET /'],
    [['GET /a'], 'GET /a/', null],
    [['GET /a/'], 'GET /a/', 'GET /a/'],
    [['GET /a'], 'GET /A', null],
    [['GET /a'], 'HEAD /a', null],
  ]
  for (const [keys, request, chosen] of table) {
    it(`chooses ${chosen ?? 'nothing'} of ${keys.join(', ')} for ${request}`, () => {
      const [method, path] = request.split(' ') as [string, string]
      for (const order of [keys, keys.toReversed()]) {
        const table: Record<string, Authorization> = {}
        for (const key of order) table[key] = open
        assert.equal(finder(table)(method, path), chosen)
      }
    })
  }

  it('takes a trailing slash for another path, and gives it to no variable', () => {
    const find = finder({ 'GET /pets/{id}': open, 'GET /books/{rest+}': open })
    assert.equal(find('GET', '/pets/1/'), null)
    assert.equal(find('GET', '/pets/'), null)
    assert.equal(find('GET', '/books/'), null)
    assert.equal(find('GET', '/books/a/'), 'GET /books/{rest+}')
  })

  it('refuses two keys that claim the same requests', () => {
    assert.throws(() => finder({ 'GET /a/{x}': open, 'GET /a/{y}': open }), /"GET \/a\/\{x\}" and "GET \/a\/\{y\}"/)
  })

  it('N205 sends no other spelling or method of a protected path to a weaker route', () => {
    const find = finder({
      'GET /pets/{id}': closed(),
      'POST /Admin/users/': closed('admin'),
      'OPTIONS /{proxy+}': open,
      'ANY /{proxy+}': open,
      $default: open,
    })
    assert.equal(find('GET', '/pets/1'), 'GET /pets/{id}')
    assert.equal(find('GET', '/other/1'), 'ANY /{proxy+}')
    for (const target of ['/PETS/1', '/Pets/1', '/pets/1/', '/PETS/1/', '/pets%20/1', '/%EF%BD%90ets/1']) {
      assert.equal(find('GET', target), null, target)
    }
    for (const method of ['HEAD', 'POST', 'DELETE', 'PATCH']) assert.equal(find(method, '/pets/1'), null, method)
    for (const target of ['/admin/users', '/Admin/users', '/admin/users/']) {
      assert.equal(find('POST', target), null, target)
    }
    assert.equal(find('OPTIONS', '/pets/1'), 'OPTIONS /{proxy+}', 'a route that names its method is meant')
  })

  it('N205 does the same between two protected routes of different strength', () => {
    const find = finder({ 'GET /admin': closed('admin'), 'ANY /{proxy+}': closed() })
    assert.equal(find('GET', '/admin'), 'GET /admin')
    assert.equal(find('GET', '/ADMIN'), null)
    assert.equal(find('GET', '/elsewhere'), 'ANY /{proxy+}')
  })
})

describe('the canonical path', () => {
  it('is one spelling for router and upstream', () => {
    const read = (target: string): string | undefined => canonicalPath(target)?.path
    assert.equal(read('/%70ets/1'), '/pets/1')
    assert.equal(read('/a%20b/%c3%a9'), '/a%20b/%C3%A9')
    assert.equal(read('/%7Euser/100%25'), '/~user/100%25')
    assert.deepEqual(canonicalPath('/a/b?x=/../;y'), { path: '/a/b', segments: ['a', 'b'], query: 'x=/../;y' })
  })

  it('N33 N204 does not exist where two servers could read two', () => {
    const dots = ['/a/../b', '/a/./b', '/..', '/a/%2e%2e/b', '/a/.%2E/b', '/%2e', '/a/%EF%BC%8E%EF%BC%8E/b']
    const slashes = ['//a', '/a//b', '/a/b//', '/a%2fb', '/a%2Fb', '/a%5cb', '/a\\b', '/a%EF%BC%8Fb']
    const parameters = ['/a;x=1/b', '/a/..;/b', '/a%3bx/b', '/a;']
    const encodings = ['/a%00b', '/a%0d%0ab', '/a%252e%252e/b', '/a%252fb', '/a%c0%ae/b', '/a%', '/a%zz', '/a%ff']
    const targets = ['', 'a', '*', 'http://other.test/a', '/a b', '/a#b', '/\x80', '/a\u0000']
    for (const target of [...dots, ...slashes, ...parameters, ...encodings, ...targets]) {
      assert.equal(canonicalPath(target), null, target)
    }
  })
})

describe('a protected route behind a real server', () => {
  let bench: Bench
  before(async () => {
    bench = await startBench()
  })
  after(() => bench.close())
  afterEach(() => {
    bench.upstream.seen.length = 0
  })

  it('N33 N204 N205 is reached under no other spelling without a token', async () => {
    const token = bench.issuer.mint()
    assert.equal((await bench.send({ path: '/pets/1', token })).status, 200)
    assert.equal(bench.upstream.seen.pop()?.url, '/base/pets/1')
    const spellings = [
      ...['/PETS/1', '/pets/1/', '//pets/1', '/pets//1', '/./pets/1', '/x/../pets/1', '/pets/%2e/1', '/pets;x/1'],
      ...['/pets%2f1', '/pets%5c1', '/pets\\1', '/%70ets/1', '/pets/1%00', '/%2570ets/1', '/open/../pets/1'],
      ...['/open/%2e%2e/pets/1', '/open/..;/pets/1', '/open/..%2fpets/1', '/pets/1;a=b', '/open//../pets/1'],
      ...['http://127.0.0.1/pets/1', '/pets/1/?x', '/Pets/1?x'],
    ]
    for (const path of spellings) {
      const answer = await bench.raw(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`)
      assert.match(answer, /^HTTP\/1\.1 (400|401|404) /, path)
    }
    assert.equal(bench.upstream.seen.length, 0)
  })

  it('N205 is reached by no other method and no override header', async () => {
    for (const method of ['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND']) {
      const override = { 'x-http-method-override': 'GET' }
      assert.equal((await bench.send({ path: '/pets/1', method, headers: override })).status, 404, method)
    }
    assert.equal(bench.upstream.seen.length, 0)
  })

  it('gives the upstream the path that was decided upon', async () => {
    const token = bench.issuer.mint()
    assert.equal((await bench.send({ path: '/%70ets/a%20b?q=%2e%2e', token })).status, 200)
    assert.equal(bench.upstream.seen[0]?.url, '/base/pets/a%20b?q=%2e%2e')
  })

  it('answers 404 in AWS words where no route matches', async () => {
    const { api } = await bench.load(`
openapi: 3.0.1
paths:
  /only:
    get:
      security: []
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "\${stageVariables.upstream}/only" }
`)
    bench.gateway.replace([api])
    const answer = await bench.send({ path: '/none' })
    assert.equal(answer.status, 404)
    assert.equal(answer.body, '{"message":"Not Found"}')
    assert.equal(answer.headers['content-type'], 'application/json')
    assert.equal(answer.headers['content-length'], '23')
    const preflight = { origin: 'https://a.test', 'access-control-request-method': 'GET' }
    const options = await bench.send({ path: '/only', method: 'OPTIONS', headers: preflight })
    assert.equal(options.status, 404)
    assert.equal(options.headers['access-control-allow-origin'], undefined)
  })
})
