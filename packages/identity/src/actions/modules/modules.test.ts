import assert from 'node:assert/strict'
import nodeCrypto from 'node:crypto'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { action, commandsOf, failureOf, handler, reportOf, runAll, runBody, testRunner } from '../fixture.ts'
import { moduleNames, partsOf } from './parts.ts'

const { runner } = testRunner()
const require = createRequire(import.meta.url)

/** The same text here, in Node, and there, in an Action. */
const inNode = (expression: string): unknown =>
  new Function('require', `return (async () => (${expression}))()`)(require)
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const alike: Record<string, string[]> = {
  URL: [
    `new URL('/a/../b?c=d e#f', 'https://user:pw@Example.COM:443/x/y').href`,
    `(() => { const u = new URL('http://a.test/x'); u.searchParams.append('q', 'ü &'); u.port = '81'; u.hash = 'z'; return [u.href, u.origin, u.host, u.search] })()`,
    `['http://[::1]:80/', 'http://0x7f.1/', 'https://exämple.test/', 'https://xn--exmple-cua.test/', 'https://FAẞ.test', 'file:///C:/x', 'mailto:a@b.test'].map((it) => new URL(it).href)`,
    `['x', 'http://', 'http://a b/', 'https://a.test:99999/', 'http://xn--/'].map((it) => { try { return new URL(it).href } catch (e) { return e.constructor.name } })`,
    `[URL.canParse('https://a.test'), URL.canParse('x'), new URL('https://a.test') instanceof URL, JSON.stringify({ u: new URL('https://a.test') })]`,
  ],
  URLSearchParams: [
    `new URLSearchParams({ a: '1 2', b: 'ü', c: '&=' }).toString()`,
    `[...new URLSearchParams('?a=1&b=2&a=%C3%BC+x').entries()]`,
    `(() => { const p = new URLSearchParams([['a', '1'], ['b', '2']]); p.append('a', '3'); p.delete('b'); p.sort(); return [p.getAll('a'), p.has('b'), p.get('x'), String(p), p.size] })()`,
  ],
  Buffer: [
    `['hex', 'base64', 'base64url', 'utf8', 'latin1', 'ascii', 'utf16le'].map((it) => Buffer.from('héllo wörld €').toString(it))`,
    `['aGk_', 'aGk/', 'aGk', 'aG k='].map((it) => Buffer.from(it, 'base64').toString('hex'))`,
    `[Buffer.from('aGk_', 'base64url').toString('hex'), Buffer.isEncoding('base64url'), Buffer.byteLength('aGk_', 'base64url'), Buffer.from('ff00', 'hex').toString('BASE64URL')]`,
    `(() => { const b = Buffer.alloc(8); b.writeUInt32BE(0xdeadbeef, 0); b.write('abc', 4); b.write('_w', 7, 'base64url'); return [b.toString('hex'), b.readUInt16LE(1), b.slice(4, 7).toString(), b.equals(Buffer.from(b)), Buffer.compare(b, Buffer.alloc(8))] })()`,
    `[Buffer.concat([Buffer.from('a'), new Uint8Array([98])]).toString(), Buffer.isBuffer(new Uint8Array(1)), Buffer.from([1, 256, -1]).toJSON(), Buffer.from('abc').indexOf('c'), Buffer.from('x') instanceof Uint8Array]`,
    `require('buffer').Buffer.from('x').toString('base64')`,
  ],
  encodings: [
    `[...new TextEncoder().encode('hé€😀\\ud800')]`,
    `new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x68, 0xff, 0xe2, 0x82, 0xac]))`,
    `(() => { try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255])) } catch (e) { return e.constructor.name } })()`,
    `['', 'a', 'ab', 'abc', '\\xff\\x00'].map((it) => btoa(it))`,
    `['', 'YQ', 'YQ==', ' Y W J j ', 'YWI='].map((it) => atob(it))`,
    `['€'].map((it) => { try { return btoa(it) } catch (e) { return e.name } })`,
    `['Y', '€', 'Y==='].map((it) => { try { return atob(it) } catch (e) { return e.name } })`,
    `structuredClone({ a: new Date(5), b: new Map([[1, new Set([2])]]), c: [1, , 3], d: /x/gi, e: null }).b.get(1).has(2)`,
    `(() => { const a = { n: 1 }; a.self = a; const b = structuredClone(a); return [b !== a, b.self === b, b.n] })()`,
    `(() => { try { structuredClone({ f() {} }) } catch (e) { return e.name } })()`,
  ],
  crypto: [
    `['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'SHA256', 'RSA-SHA256'].map((it) => require('crypto').createHash(it).update('héllo').digest('hex'))`,
    `['md5', 'sha1', 'sha256', 'sha384', 'sha512'].map((it) => require('node:crypto').createHmac(it, 'a key').update('one').update(Buffer.from('two')).digest('base64'))`,
    `['hex', 'base64', 'base64url', 'latin1'].map((it) => require('crypto').createHmac('sha256', 'k'.repeat(200)).update('6869', 'hex').digest(it))`,
    `require('crypto').createHash('sha256').update('a').digest().toString('hex')`,
    `(() => { const h = require('crypto').createHash('sha1').update('a'); return [h.copy().update('b').digest('hex'), h.digest('hex')] })()`,
    `(() => { const h = require('crypto').createHash('sha1'); h.digest(); try { h.update('x') } catch (e) { return e.message } })()`,
    `[require('crypto').timingSafeEqual(Buffer.from('ab'), Buffer.from('ab')), require('crypto').timingSafeEqual(Buffer.from('ab'), Buffer.from('ac'))]`,
    `(() => { try { require('crypto').timingSafeEqual(Buffer.from('a'), Buffer.from('ab')) } catch (e) { return [e.name, e.message] } })()`,
    `Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode('x'))).toString('hex')`,
    `await (async () => { const k = await crypto.subtle.importKey('raw', new TextEncoder().encode('secret'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']); const s = await crypto.subtle.sign('HMAC', k, new Uint8Array([1, 2])); return [Buffer.from(s).toString('hex'), await crypto.subtle.verify('HMAC', k, s, new Uint8Array([1, 2])), await crypto.subtle.verify('HMAC', k, s, new Uint8Array([1, 3]))] })()`,
  ],
  querystring: [
    `require('querystring').stringify({ a: [1, 'x y'], b: true, c: '', d: null, e: 'ü&' })`,
    `({ ...require('node:querystring').parse('a=1&a=2&b=%C3%BC+x&c&=d&e=%zz') })`,
  ],
  packages: [
    `[require('lodash').get({ a: [{ b: 1 }] }, 'a[0].b'), require('lodash/pick')({ a: 1, b: 2 }, ['b']), require('lodash').camelCase('foo bar'), require('lodash').template('hi <%= who %>')({ who: 'you' })]`,
    `[require('lodash').cloneDeep({ a: [new Date(3)] }), require('lodash').groupBy([1.2, 1.8, 2.1], Math.floor), require('lodash').isEqual({ a: [1] }, { a: [1] })]`,
    `require('uuid').v5('hello', require('uuid').v5.URL)`,
    `[require('uuid').validate('9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d'), require('uuid').version('9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d')]`,
    `require('jsonwebtoken').sign({ sub: 'a', iat: 1 }, 'secret', { algorithm: 'HS512', issuer: 'https://x', keyid: '1' })`,
    `(() => { try { require('jsonwebtoken').verify(require('jsonwebtoken').sign({ exp: 1 }, 's'), 's') } catch (e) { return [e.name, e.message] } })()`,
    `(() => { try { require('jsonwebtoken').verify(require('jsonwebtoken').sign({ a: 1 }, 's'), 'other') } catch (e) { return [e.name, e.message] } })()`,
    `require('axios').getUri({ url: 'https://a.test/x', params: { a: [1, 2], b: 'ü' } })`,
    `[typeof require('axios').create({}).get, require('axios').isAxiosError(new Error('x')), require('axios').default === require('axios')]`,
    `await require('util').promisify((a, done) => done(null, a + 1))(1)`,
  ],
}

for (const [what, expressions] of Object.entries(alike)) {
  test(`${what} answers as in Node.js`, async () => {
    for (const expression of expressions) {
      const here = plain({ it: await inNode(expression) })
      const there = await reportOf(runner, `report({ it: ${expression} })`)
      assert.deepEqual(there, here, expression)
    }
  })
}

test('a token of jsonwebtoken is one that others verify, and the other way round', async () => {
  const secret = 'a-secret-of-32-characters-at-least'
  const signed = (await reportOf(runner, `report(require('jsonwebtoken').sign({ sub: 'a' }, '${secret}'))`)) as string
  const [head, body, signature] = signed.split('.')
  const expected = nodeCrypto.createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url')
  assert.equal(signature, expected)
})

test('CVE-2015-9235 a public key is never taken for a shared secret, and asymmetric algorithms are refused by name', async () => {
  const { publicKey } = nodeCrypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const head = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url')
  const body = Buffer.from('{"sub":"admin"}').toString('base64url')
  const signature = nodeCrypto.createHmac('sha256', pem).update(`${head}.${body}`).digest('base64url')
  const caught = (expression: string) => `try { report(${expression}) } catch (e) { report([e.name, e.message]) }`
  const forged = JSON.stringify(`${head}.${body}.${signature}`)
  for (const key of [JSON.stringify(pem), `Buffer.from(${JSON.stringify(pem)})`]) {
    assert.deepEqual(await reportOf(runner, caught(`require('jsonwebtoken').verify(${forged}, ${key})`)), [
      'JsonWebTokenError',
      'secretOrPublicKey is not valid key material',
    ])
  }
  assert.deepEqual(
    await reportOf(runner, caught(`require('jsonwebtoken').sign({}, ${JSON.stringify(pem)}, { algorithm: 'RS256' })`)),
    ['Error', 'secretOrPrivateKey is not valid key material'],
  )
})

test('random numbers are uniform, never those of another run, and unknown to the code before it asks', async () => {
  const draw = `report([crypto.randomUUID(), require('crypto').randomBytes(40).toString('hex'),
    Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex'), require('uuid').v4()])`
  const same = action(handler(`const report = (v) => api.idToken.setCustomClaim('r', v)\n${draw}`))
  const runs: string[] = []
  for (let run = 0; run < 5; run++) {
    const [command] = commandsOf(await runAll(runner, [same]))
    const drawn = (command as { value: string[] }).value
    assert.match(drawn[0]!, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.match(drawn[3]!, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    runs.push(...drawn)
  }
  assert.equal(new Set(runs).size, runs.length)
  const counts = (await reportOf(
    runner,
    `const counts = Array(8).fill(0)
    for (const byte of require('crypto').randomBytes(16000)) counts[byte & 7]++
    for (let n = 0; n < 300; n++) { const it = require('crypto').randomInt(3, 6); if (it < 3 || it > 5) throw new Error('out of range') }
    report(counts)`,
  )) as number[]
  // Nine standard deviations around 2000.
  for (const count of counts) assert.ok(Math.abs(count - 2000) < 400, String(counts))
})

test('the generator is HMAC_DRBG as the standard writes it: its first bytes are those of the seed', async () => {
  const seed = Buffer.from('00112233'.repeat(12), 'hex')
  let key = Buffer.alloc(32)
  let value = Buffer.alloc(32, 1)
  const hmac = (...parts: Buffer[]) => nodeCrypto.createHmac('sha256', key).update(Buffer.concat(parts)).digest()
  for (const round of [0, 1]) {
    key = hmac(value, Buffer.from([round]), seed)
    value = hmac(value)
  }
  const first = hmac(value)
  const { createBundles } = await import('./bundles.ts')
  const exports: Record<string, Record<string, unknown>> = {}
  for (const name of partsOf('crypto')) {
    const load = (_name: string, factory: (...args: unknown[]) => void) => {
      const module = { exports: {} }
      factory((other: string) => exports[other], module, module.exports, { entropy: () => seed.toString('hex') })
      exports[name] = module.exports
    }
    new Function('tenantryPart', (await createBundles()()).get(name)!.source)(load)
  }
  const { crypto } = exports.crypto!.modules as { crypto: { randomBytes(size: number): Buffer } }
  assert.equal(Buffer.from(crypto.randomBytes(32)).toString('hex'), first.toString('hex'))
})

test('timers: intervals repeat until they are cleared, microtasks come first, and what they throw ends the Action', async () => {
  assert.deepEqual(
    await reportOf(
      runner,
      `const order = []
      setImmediate(() => order.push('immediate'))
      queueMicrotask(() => order.push('micro'))
      let n = 0
      await new Promise((done) => { const id = setInterval(() => { order.push(++n); if (n === 3) { clearInterval(id); done() } }, 2) })
      const began = performance.now()
      await new Promise((done) => setTimeout(done, 30))
      report([order, performance.now() - began >= 29, Number.isInteger(performance.now())])`,
    ),
    [['micro', 'immediate', 1, 2, 3], true, true],
  )
  for (const body of [
    `queueMicrotask(() => { throw new Error('late') }); await new Promise((r) => setTimeout(r, 5))`,
    `setInterval(() => { throw new Error('late') }, 1); await new Promise((r) => setTimeout(r, 50))`,
  ]) {
    assert.match(failureOf(await runBody(runner, body)).detail, /^Error: late\n/)
  }
})

test('parts are loaded for what the code names, and for nothing else', async () => {
  assert.deepEqual(
    partsOf(`exports.onExecutePostLogin = async (event, api) => { api.user.setAppMetadata('seen', 1) }`),
    [],
  )
  assert.deepEqual(partsOf('const fetched = prefetch(event.$fetch, fetch_)'), [])
  assert.deepEqual(partsOf('new URL(a)'), ['encoding', 'url'])
  assert.deepEqual(partsOf(`require("lodash/get")`), ['lodash'])
  assert.deepEqual(partsOf('require(`node:crypto`)'), ['encoding', 'buffer', 'crypto'])
  assert.deepEqual(partsOf(`require('axios')`), ['encoding', 'buffer', 'url', 'fetch', 'axios'])
  const seen = await reportOf(
    runner,
    `report(['ur' + 'l', 'Buf' + 'fer', 'fet' + 'ch'].map((it) => typeof globalThis[it]))`,
  )
  assert.deepEqual(seen, ['undefined', 'undefined', 'undefined'])
  assert.equal(moduleNames.length, 10)
})

test('a module whose name is put together at run time is not there, and the author is told why', async () => {
  const failure = failureOf(await runBody(runner, `require('lo' + 'dash')`))
  assert.match(
    failure.detail,
    /^Error: require\("lodash"\) is refused: write the name of the module as a literal text\n {4}at .*action\.js:2:1/,
  )
})

test('the check at deploy loads modules at the top, random numbers included', async () => {
  const code = `const axios = require('axios'); const id = require('crypto').randomUUID(); exports.onExecutePostLogin = () => {}`
  assert.deepEqual(await runner.checkCode(code), { ok: true })
  assert.deepEqual(
    await runner.checkCode(`\n  const x = require('auth0-unknown')\nexports.onExecutePostLogin = () => {}`),
    {
      ok: false,
      message: `Error: require("auth0-unknown") is refused: there is no such module here. There are: ${moduleNames.join(', ')}\n    at action.js:2:13`,
    },
  )
})
