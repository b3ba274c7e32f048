import assert from 'node:assert/strict'
import { createHmac, createSecretKey, generateKeyPairSync, sign } from 'node:crypto'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { pino } from 'pino'
import { createGateway } from './gateway.ts'
import { type Bench, type Received, standardDocument, startBench } from './test-gateway.ts'
import { audience } from './test-issuer.ts'

const unauthorized = '{"message":"Unauthorized"}'

describe('the JWT authorizer', () => {
  let bench: Bench
  before(async () => {
    bench = await startBench()
  })
  after(() => bench.close())
  afterEach(() => {
    bench.upstream.seen.length = 0
  })

  const read = (token: string): Promise<Received> => bench.send({ path: '/todos', token })

  const assertRefused = (answer: Received, challenge: string): void => {
    assert.equal(answer.status, 401)
    assert.equal(answer.body, unauthorized)
    assert.equal(answer.headers['content-length'], '26')
    assert.equal(answer.headers['content-type'], undefined)
    assert.equal(answer.headers['www-authenticate'], challenge)
    assert.match(answer.headers['apigw-requestid'] as string, /^[\w-]{15}=$/)
    assert.equal(bench.upstream.seen.length, 0)
  }
  const invalid = (text: string): string => `Bearer scope="" error="invalid_token" error_description="${text}"`

  it('lets a valid token through, with the prefix and bare, and passes it on', async () => {
    const token = bench.issuer.mint({ scope: 'read:todos' })
    const prefixed = await read(token)
    const bare = await bench.send({ path: '/todos', headers: { authorization: token } })
    assert.deepEqual([prefixed.status, bare.status], [200, 200])
    assert.equal(prefixed.body, '{"method":"GET","url":"/todos","bytes":0}')
    assert.equal(bench.upstream.seen[0]?.headers.authorization, `Bearer ${token}`)
  })

  it('answers a missing token with the bare challenge', async () => {
    assertRefused(await bench.send({ path: '/todos' }), 'Bearer')
    assertRefused(await bench.send({ path: '/todos', headers: { authorization: '' } }), 'Bearer')
  })

  it('answers what has not three segments by saying so', async () => {
    const text = invalid('token contains an invalid number of segments')
    for (const token of ['not-a-token', 'a.b', 'a.b.c.d']) assertRefused(await read(token), text)
    assertRefused(await bench.send({ path: '/todos', headers: { authorization: 'Basic dXNlcjpwYXNz' } }), text)
  })

  it('accepts RS256, RS384 and RS512', async () => {
    for (const alg of ['RS256', 'RS384', 'RS512']) {
      assert.equal((await read(bench.issuer.mint({ scope: 'read:todos' }, { alg }))).status, 200, alg)
    }
  })

  it('names an algorithm that is not RSA-based, and repeats nothing but a name', async () => {
    const claims = { scope: 'read:todos' }
    for (const alg of ['ES256', 'HS256', 'PS256', 'none', 'EdDSA', 'rs256', 'toString']) {
      assertRefused(await read(bench.issuer.mint(claims, { alg })), invalid(`signing method ${alg} is invalid`))
    }
    assertRefused(
      await read(bench.issuer.mint(claims, { alg: 'x"\r\nset-cookie: a=b' })),
      invalid('token is malformed'),
    )
    assertRefused(await read(bench.issuer.mint(claims, { alg: ['RS256'] })), invalid('token is malformed'))
  })

  it('refuses a token signed with the public key as an HMAC secret', async () => {
    const pem = bench.issuer.keys.get('key-1')!.publicKey.export({ type: 'spki', format: 'pem' })
    const [head, body] = bench.issuer.mint({ scope: 'read:todos' }, { alg: 'HS256' }).split('.')
    const mac = createHmac('sha256', createSecretKey(Buffer.from(pem)))
      .update(`${head}.${body}`)
      .digest('base64url')
    assertRefused(await read(`${head}.${body}.${mac}`), invalid('signing method HS256 is invalid'))
  })

  it('refuses a bad signature, a foreign key under a known id, an unknown and a missing key id', async () => {
    const { mint } = bench.issuer
    const [head, body] = mint({ scope: 'read:todos' }).split('.')
    const other = mint({ scope: 'admin:todos' }).split('.')[2]
    assertRefused(await read(`${head}.${body}.${other}`), invalid('the token signature is invalid'))
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const forged = sign('sha256', Buffer.from(`${head}.${body}`), privateKey).toString('base64url')
    assertRefused(await read(`${head}.${body}.${forged}`), invalid('the token signature is invalid'))
    const unknown = invalid('unable to find a key that matches the key id of the token')
    assertRefused(await read(mint({ scope: 'read:todos' }, { kid: 'key-9' })), unknown)
    assertRefused(
      await read(mint({ scope: 'read:todos' }, { kid: undefined })),
      invalid('the token header does not have a key id'),
    )
  })

  it('refuses each registered claim that does not fit', async () => {
    const { mint } = bench.issuer
    const now = Math.floor(bench.clock.now().getTime() / 1000)
    const rows: [Record<string, unknown>, string][] = [
      [{ iss: 'https://other.example.test/' }, 'issuer does not match'],
      [{ iss: bench.issuer.issuer.replace(/\/$/, '') }, 'issuer does not match'],
      [{ iss: [bench.issuer.issuer] }, 'issuer does not match'],
      [{ aud: 'https://other.example.test' }, 'the token does not have a valid audience'],
      [{ aud: [] }, 'the token does not have a valid audience'],
      [{ aud: null }, 'the token does not have a valid audience'],
      [{ aud: undefined }, 'the token does not have a valid audience'],
      [{ aud: 'https://other.example.test', client_id: audience }, 'the token does not have a valid audience'],
      [{ exp: now - 1 }, 'the token has expired'],
      [{ exp: undefined }, 'the token has expired'],
      [{ exp: String(now + 600) }, 'the token has expired'],
      [{ nbf: now + 60 }, 'the token is not valid yet'],
      [{ iat: now + 60 }, 'the token was issued in the future'],
      [{ iat: 'yesterday' }, 'the token was issued in the future'],
    ]
    for (const [claims, text] of rows) {
      assertRefused(await read(mint({ scope: 'read:todos', ...claims })), invalid(text))
    }
  })

  it('accepts an audience in a list, and client_id only in place of an absent aud', async () => {
    const list = bench.issuer.mint({ scope: 'read:todos', aud: ['https://x.example.test', audience] })
    const client = bench.issuer.mint({ scope: 'read:todos', aud: undefined, client_id: audience })
    assert.deepEqual([(await read(list)).status, (await read(client)).status], [200, 200])
  })

  it('asks for any one of the scopes as a whole word, and lets scp beat scope', async () => {
    const rows: [Record<string, unknown>, number][] = [
      [{ scope: 'openid read:todos' }, 200],
      [{ scope: 'x admin:todos' }, 200],
      [{ scp: ['read:todos'] }, 200],
      [{ scp: 'a read:todos' }, 200],
      [{}, 403],
      [{ scope: 'read:todosX' }, 403],
      [{ scope: 'read' }, 403],
      [{ scope: ['read:todos'] }, 403],
      [{ scp: ['other'], scope: 'read:todos' }, 403],
      [{ scp: ['read:todos admin:todos'] }, 403],
    ]
    for (const [claims, status] of rows) {
      const answer = await read(bench.issuer.mint(claims))
      assert.equal(answer.status, status, JSON.stringify(claims))
      if (status === 403) {
        assert.equal(answer.body, '{"message":"Forbidden"}')
        assert.equal(answer.headers['www-authenticate'], undefined)
      }
    }
    const write = await bench.send({
      path: '/todos',
      method: 'POST',
      body: 'x',
      token: bench.issuer.mint({ scope: 'read:todos' }),
    })
    assert.equal(write.status, 403)
  })

  it('asks for no scope where the route names none', async () => {
    assert.equal((await bench.send({ path: '/pets/1', token: bench.issuer.mint() })).status, 200)
  })

  it('N207 refuses two Authorization headers and a doubled prefix', async () => {
    const token = bench.issuer.mint({ scope: 'read:todos' })
    const twice = ['authorization', `Bearer ${token}`, 'Authorization', `Bearer ${token}`]
    const answer = await bench.send({ path: '/todos', headers: twice })
    assertRefused(answer, invalid('token is malformed'))
    assertRefused(await read(`Bearer ${token}`), invalid('token is malformed'))
  })

  it('N34 fails closed on every token that cannot be read in one way', async () => {
    const now = Math.floor(bench.clock.now().getTime() / 1000)
    const head = '{"alg":"RS256","kid":"key-1"}'
    const claims = `"iss":"${bench.issuer.issuer}","aud":"${audience}","exp":${now + 600},"scope":"read:todos"`
    const { mintRaw } = bench.issuer
    assert.equal((await read(mintRaw(head, `{${claims}}`))).status, 200)
    bench.upstream.seen.length = 0
    const twoReadings = [
      mintRaw(head, `{"exp":1,${claims}}`),
      mintRaw(head, `{${claims},"\\u0065xp":${now + 900}}`),
      mintRaw('{"alg":"RS256","alg":"RS256","kid":"key-1"}', `{${claims}}`),
      mintRaw('{"alg":"RS256","kid":"key-1","crit":["exp"],"exp":1}', `{${claims}}`),
      mintRaw('{"alg":"RS256","kid":"key-1","b64":false}', `{${claims}}`),
      mintRaw(head, `[{${claims}}]`),
      mintRaw(head, `{${claims}`),
      mintRaw(head, 'null'),
      `${mintRaw(head, `{${claims}}`)}=`,
      mintRaw(head, `{${claims}}`).replace('.', '. '),
    ]
    for (const token of twoReadings) assertRefused(await read(token), invalid('token is malformed'))
  })

  it('N209 refuses the non-canonical twin of a token that is in the cache', async () => {
    const token = bench.issuer.mint({ scope: 'read:todos' })
    assert.equal((await read(token)).status, 200)
    // 256 bytes leave two unused bits in the last character: four spellings of one signature.
    const last = token.at(-1)!
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const twin = token.slice(0, -1) + alphabet[alphabet.indexOf(last) + 1]
    assert.notEqual(twin, token)
    bench.upstream.seen.length = 0
    assertRefused(await read(twin), invalid('token is malformed'))
  })

  it('logs one line per request, with the reason and without token or query', async () => {
    bench.logLines.length = 0
    const token = bench.issuer.mint({ aud: 'https://other.example.test' })
    const answer = await bench.send({ path: '/todos?secret=1', token })
    const [line, ...rest] = bench.logLines
    assert.equal(rest.length, 0)
    const { id, ip, route, status, bytes, auth } = line!
    assert.deepEqual(
      { id, ip, route, status, bytes, auth },
      {
        id: answer.headers['apigw-requestid'],
        ip: '127.0.0.1',
        route: 'GET /todos',
        status: 401,
        bytes: 26,
        auth: 'invalid_token: the token does not have a valid audience',
      },
    )
    assert.match(String(line!.at), /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/)
    assert.doesNotMatch(JSON.stringify(line), /secret|eyJ/)
  })
})

describe('the gateway', () => {
  let bench: Bench
  beforeEach(async () => {
    bench = await startBench()
  })
  afterEach(() => bench.close())

  it('N34 answers 500 and forwards nothing when an authorizer fails unexpectedly', async () => {
    const token = bench.issuer.mint()
    assert.equal((await bench.send({ path: '/pets/1', token })).status, 200)
    bench.upstream.seen.length = 0
    const { now } = bench.clock
    let calls = 0
    bench.clock.now = () => {
      // The access log asks for the time as well and must still get it.
      if (calls++ < 1) throw new Error('no time')
      return now()
    }
    const answer = await bench.send({ path: '/pets/1', token })
    assert.equal(answer.status, 500)
    assert.equal(answer.body, '{"message":"Internal Server Error"}')
    assert.equal(answer.headers['content-type'], 'application/json')
    assert.equal(answer.headers['content-length'], '35')
    assert.equal(bench.upstream.seen.length, 0)
    assert.ok(bench.logLines.some(({ msg, err }) => msg === 'request failed' && /no time/.test(JSON.stringify(err))))
  })

  it('chooses the API by host, whatever its case and port, and answers 404 for any other', async () => {
    const document = (path: string): string => `
openapi: 3.0.1
paths:
  ${path}: { get: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "\${stageVariables.upstream}${path}" } } }
`
    const one = { ...(await bench.load(document('/one'))).api, id: 'one', hosts: ['one.execute-api.localhost'] }
    const two = { ...(await bench.load(document('/two'))).api, id: 'two', hosts: ['two.execute-api.localhost'] }
    bench.gateway.replace([one, two])
    const status = async (host: string, path: string): Promise<number> =>
      (await bench.send({ path, headers: { host } })).status
    assert.equal(await status('one.execute-api.localhost', '/one'), 200)
    assert.equal(await status('ONE.execute-api.localhost:8080', '/one'), 200)
    assert.equal(await status('one.execute-api.localhost', '/two'), 404)
    assert.equal(await status('two.execute-api.localhost', '/two'), 200)
    assert.equal(await status('three.execute-api.localhost', '/one'), 404)
    assert.throws(() => bench.gateway.replace([one, { ...two, hosts: one.hosts }]), /claimed by two APIs/)
    assert.equal(await status('two.execute-api.localhost', '/two'), 200)
  })

  it('replaces an API at once, keeps keys and tokens of unchanged authorizers, and finishes what is under way', async () => {
    const token = bench.issuer.mint({ scope: 'read:todos' })
    assert.equal((await bench.send({ path: '/todos', token })).status, 200)
    const fetched = bench.issuer.requests.length
    bench.upstream.reply = (_request, response) => void setTimeout(() => response.end('old'), 150)
    const underWay = bench.send({ path: '/todos', token })
    await new Promise((resolve) => setTimeout(resolve, 50))
    const { api } = await bench.load(standardDocument.replace('/todos:', '/tasks:'))
    bench.issuer.requests.length = fetched
    bench.gateway.replace([api])
    assert.equal((await underWay).body, 'old')
    bench.upstream.reply = null
    assert.equal((await bench.send({ path: '/tasks', token })).status, 200)
    assert.equal(bench.issuer.requests.length, fetched)
  })

  it('takes the token from the query string where the authorizer says so, and then from there alone', async () => {
    const source = '$request.querystring.access'
    const { api } = await bench.load(standardDocument.replace('$request.header.Authorization', source))
    bench.gateway.replace([api])
    const token = bench.issuer.mint()
    assert.equal((await bench.send({ path: `/pets/1?access=${token}` })).status, 200)
    assert.equal((await bench.send({ path: '/pets/1', token })).headers['www-authenticate'], 'Bearer')
    assert.equal((await bench.send({ path: `/pets/1?Access=${token}` })).status, 401)
    assert.equal((await bench.send({ path: `/pets/1?access=${token}&access=${token}` })).status, 401)
    assert.doesNotMatch(JSON.stringify(bench.logLines), /eyJ/)
  })

  it('gives one API no use of what another has verified', async () => {
    const strict = standardDocument.replace(
      'audience: ["https://api.example.test"]',
      'audience: ["https://other.test"]',
    )
    const { api: first } = await bench.load(standardDocument)
    const { api: second } = await bench.load(strict)
    bench.gateway.replace([
      { ...first, id: 'first', hosts: ['first.test'] },
      { ...second, id: 'second', hosts: ['second.test'] },
    ])
    const headers = (host: string, token: string) => ({ host, authorization: `Bearer ${token}` })
    const token = bench.issuer.mint()
    assert.equal((await bench.send({ path: '/pets/1', headers: headers('first.test', token) })).status, 200)
    assert.equal((await bench.send({ path: '/pets/1', headers: headers('second.test', token) })).status, 401)
  })

  it('finishes what is under way before it closes, and keeps no idle connection open', async () => {
    const { api } = await bench.load(standardDocument)
    const other = createGateway({ apis: [api], clock: bench.clock, logger: pino({ level: 'silent' }) })
    const { port } = await other.listen(0, '127.0.0.1')
    bench.upstream.reply = (_request, response) => void setTimeout(() => response.end('late'), 150)
    const answer = fetch(`http://127.0.0.1:${port}/open/a`).then((response) => response.text())
    await new Promise((resolve) => setTimeout(resolve, 50))
    const closing = other.close()
    assert.equal(await answer, 'late')
    await closing
    assert.equal(other.server.listening, false)
  })

  it('says which port is taken', async () => {
    const { api } = await bench.load(standardDocument)
    const other = createGateway({ apis: [api], clock: bench.clock, logger: pino({ level: 'silent' }) })
    await assert.rejects(other.listen(bench.port, '127.0.0.1'), { code: 'EADDRINUSE', port: bench.port })
  })
})
