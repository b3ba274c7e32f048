import assert from 'node:assert/strict'
import { createHmac, createSecretKey, generateKeyPairSync, sign } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import { type Bench, type Received, startBench } from '../test-gateway.ts'
import { audience } from '../test-issuer.ts'
import { refusalTexts } from './refusals.ts'

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

  const assertRefused = (answer: Received, challenge: string, logged: string): void => {
    assert.equal(answer.status, 401)
    assert.equal(answer.body, unauthorized)
    assert.equal(answer.headers['content-length'], '26')
    assert.equal(answer.headers['content-type'], undefined)
    assert.equal(answer.headers['www-authenticate'], challenge)
    assert.match(answer.headers['apigw-requestid'] as string, /^[\w-]{15}=$/)
    assert.equal(bench.upstream.seen.length, 0)
    assert.equal(bench.logLines.at(-1)?.auth, logged)
  }
  const assertInvalid = (answer: Received, text: string, logged = text): void =>
    assertRefused(
      answer,
      `Bearer scope="" error="invalid_token" error_description="${text}"`,
      `invalid_token: ${logged}`,
    )

  // One request per reason, in the order in which they are checked. `true`: the words were seen on AWS in this place.
  type Row = [reason: string, token: () => string, text: string, confirmed: boolean]
  const claims =
    (change: Record<string, unknown>, header: Record<string, unknown> = {}) =>
    (): string =>
      bench.issuer.mint({ scope: 'read:todos', ...change }, header)
  const soon = (): number => Math.floor(bench.clock.now().getTime() / 1000) + 60
  const rows: Row[] = [
    ['segments', () => 'not-a-token', 'token contains an invalid number of segments', true],
    ['malformed', () => 'a.b.c', 'token is malformed', false],
    ['sent_twice', () => 'twice', 'token is malformed', false],
    ['algorithm', claims({}, { alg: 'ES256' }), 'signing method ES256 is invalid', true],
    ['key_missing', claims({}, { kid: undefined }), 'the token header does not have a key id', false],
    ['key_unknown', claims({}, { kid: 'key-9' }), 'unable to find a key that matches the key id of the token', false],
    [
      'signature',
      () => {
        const [head, body] = claims({})().split('.')
        return `${head}.${body}.${claims({ jti: 'other' })().split('.')[2]}`
      },
      'the token signature is invalid',
      false,
    ],
    ['issuer', claims({ iss: 'https://other.example.test/' }), 'issuer does not match', false],
    ['audience', claims({ aud: 'other' }), 'the token does not have a valid audience', true],
    ['expired', claims({ exp: 1 }), 'the token has expired', false],
    ['not_yet_valid', () => claims({ nbf: soon() })(), 'the token is not valid yet', false],
    ['issued_in_future', () => claims({ iat: soon() })(), 'the token was issued in the future', false],
  ]

  it('refuses for each reason with its own words, in challenge and log, and the body of all', async () => {
    for (const [reason, token, text, confirmed] of rows) {
      const twice = ['authorization', 'Bearer a.b.c', 'authorization', 'Bearer a.b.c']
      const sent = reason === 'sent_twice' ? bench.send({ path: '/todos', headers: twice }) : read(token())
      assertInvalid(await sent, text, reason === 'sent_twice' ? 'the token was sent twice' : text)
      const { text: listed, confirmed: seen } = refusalTexts[reason as keyof typeof refusalTexts]
      assert.deepEqual([listed?.replace('{alg}', 'ES256'), seen], [text, confirmed], reason)
    }
    // key-set.test.ts breaks the issuer in more ways.
    const elsewhere: Row[] = [
      ['discovery', () => '', 'OIDC discovery endpoint communication error', true],
      ['key_set', () => '', 'JWKS communication error', true],
    ]
    for (const [reason, , text, confirmed] of elsewhere) {
      const other = await startBench()
      const part = reason === 'discovery' ? 'discovery' : 'jwks'
      other.issuer.answers[part] = (response) => response.writeHead(503).end()
      const { status, headers, body } = await other.send({ path: '/todos', token: other.issuer.mint() })
      assert.deepEqual([status, body, headers['content-type']], [401, unauthorized, undefined])
      assert.equal(headers['www-authenticate'], `Bearer scope="" error="invalid_token" error_description="${text}"`)
      assert.equal(other.logLines.at(-1)?.auth, `invalid_token: ${text}`)
      assert.equal(other.upstream.seen.length, 0)
      assert.deepEqual(refusalTexts[reason as keyof typeof refusalTexts], { text, confirmed })
      await other.close()
    }
    const covered = [...rows, ...elsewhere].map(([reason]) => reason)
    const wordless = ['missing', 'scope']
    const beyondAws = ['claim', 'tenant']
    assert.deepEqual(new Set([...covered, ...wordless, ...beyondAws]), new Set(Object.keys(refusalTexts)))
  })

  it('reports the first fault of a token that has several, in the order of the table', async () => {
    const faults: [Record<string, unknown>, Record<string, unknown>, string][] = [
      [{ iss: 'x', aud: 'x', exp: 1 }, { alg: 'PS256', kid: undefined }, 'signing method PS256 is invalid'],
      [{ iss: 'x', aud: 'x', exp: 1 }, { kid: undefined }, 'the token header does not have a key id'],
      [{ iss: 'x', aud: 'x', exp: 1 }, {}, 'issuer does not match'],
      [{ aud: 'x', exp: 1, nbf: soon() }, {}, 'the token does not have a valid audience'],
      [{ exp: 1, nbf: soon(), iat: soon() }, {}, 'the token has expired'],
      [{ nbf: soon(), iat: soon(), scope: 'none' }, {}, 'the token is not valid yet'],
      [{ iat: soon(), scope: 'none' }, {}, 'the token was issued in the future'],
    ]
    for (const [change, header, text] of faults) assertInvalid(await read(claims(change, header)()), text)
  })

  it('lets a valid token through, with the prefix and bare, and passes it on', async () => {
    const token = bench.issuer.mint({ scope: 'read:todos' })
    const prefixed = await read(token)
    const bare = await bench.send({ path: '/todos', headers: { authorization: token } })
    assert.deepEqual([prefixed.status, bare.status], [200, 200])
    assert.equal(prefixed.body, '{"method":"GET","url":"/todos","bytes":0}')
    assert.equal(bench.upstream.seen[0]?.headers.authorization, `Bearer ${token}`)
  })

  it('answers a missing token with the bare challenge', async () => {
    const logged = 'missing: token not provided'
    assertRefused(await bench.send({ path: '/todos' }), 'Bearer', logged)
    assertRefused(await bench.send({ path: '/todos', headers: { authorization: '' } }), 'Bearer', logged)
  })

  it('answers what has not three segments by saying so', async () => {
    const text = 'token contains an invalid number of segments'
    for (const token of ['not-a-token', 'a.b', 'a.b.c.d']) assertInvalid(await read(token), text)
    assertInvalid(await bench.send({ path: '/todos', headers: { authorization: 'Basic dXNlcjpwYXNz' } }), text)
  })

  it('accepts RS256, RS384 and RS512', async () => {
    for (const alg of ['RS256', 'RS384', 'RS512']) {
      assert.equal((await read(bench.issuer.mint({ scope: 'read:todos' }, { alg }))).status, 200, alg)
    }
  })

  it('names an algorithm that is not RSA-based, and repeats nothing but a name', async () => {
    const claims = { scope: 'read:todos' }
    for (const alg of [
      'ES256',
      'ES384',
      'ES512',
      'HS256',
      'PS256',
      'PS384',
      'PS512',
      'none',
      'None',
      'HS512',
      'EdDSA',
      'rs256',
      'toString',
    ]) {
      assertInvalid(await read(bench.issuer.mint(claims, { alg })), `signing method ${alg} is invalid`)
    }
    assertInvalid(await read(bench.issuer.mint(claims, { alg: 'x"\r\nset-cookie: a=b' })), 'token is malformed')
    assertInvalid(await read(bench.issuer.mint(claims, { alg: ['RS256'] })), 'token is malformed')
  })

  it('refuses a token signed with the public key as an HMAC secret', async () => {
    const pem = bench.issuer.keys.get('key-1')!.publicKey.export({ type: 'spki', format: 'pem' })
    const [head, body] = bench.issuer.mint({ scope: 'read:todos' }, { alg: 'HS256' }).split('.')
    const mac = createHmac('sha256', createSecretKey(Buffer.from(pem)))
      .update(`${head}.${body}`)
      .digest('base64url')
    assertInvalid(await read(`${head}.${body}.${mac}`), 'signing method HS256 is invalid')
  })

  it('refuses a bad signature, a foreign key under a known id, an unknown and a missing key id', async () => {
    const { mint } = bench.issuer
    const [head, body] = mint({ scope: 'read:todos' }).split('.')
    const other = mint({ scope: 'admin:todos' }).split('.')[2]
    assertInvalid(await read(`${head}.${body}.${other}`), 'the token signature is invalid')
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const forged = sign('sha256', Buffer.from(`${head}.${body}`), privateKey).toString('base64url')
    assertInvalid(await read(`${head}.${body}.${forged}`), 'the token signature is invalid')
    const unknown = 'unable to find a key that matches the key id of the token'
    assertInvalid(await read(mint({ scope: 'read:todos' }, { kid: 'key-9' })), unknown)
    assertInvalid(
      await read(mint({ scope: 'read:todos' }, { kid: undefined })),
      'the token header does not have a key id',
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
      assertInvalid(await read(mint({ scope: 'read:todos', ...claims })), text)
    }
  })

  it('N207 accepts an audience in a list, and client_id only in place of an absent aud', async () => {
    const list = bench.issuer.mint({ scope: 'read:todos', aud: ['https://x.example.test', audience] })
    const client = bench.issuer.mint({ scope: 'read:todos', aud: undefined, client_id: audience })
    assert.deepEqual([(await read(list)).status, (await read(client)).status], [200, 200])
  })

  it('N207 asks for any one of the scopes as a whole word, and lets scp beat scope', async () => {
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
        assert.equal(answer.headers['content-type'], undefined)
        assert.equal(answer.headers['content-length'], '23')
        assert.equal(bench.logLines.at(-1)?.auth, 'insufficient_scope')
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
    assertInvalid(answer, 'token is malformed', 'the token was sent twice')
    assertInvalid(await read(`Bearer ${token}`), 'token is malformed')
  })

  it('N207 takes the token from where the definition says: none beside it, in its place or in one field with it', async () => {
    const { mint } = bench.issuer
    const good = mint({ scope: 'read:todos' })
    const bad = mint({ scope: 'read:todos', exp: 1 })
    const missing = (answer: Received) => assertRefused(answer, 'Bearer', 'missing: token not provided')
    for (const name of ['access_token', 'authorization', 'Authorization', 'token']) {
      const path = `/todos?${name}=${good}`
      missing(await bench.send({ path }))
      missing(await bench.send({ path, headers: { [`x-${name}`]: good, cookie: `${name}=${good}` } }))
      assertInvalid(await bench.send({ path, token: bad }), 'the token has expired')
      assert.equal((await bench.send({ path: `/todos?${name}=${bad}`, token: good })).status, 200)
      bench.upstream.seen.length = 0
    }
    const malformed = [
      `Bearer ${good}, Bearer ${good}`,
      `Bearer ${bad},${good}`,
      `Bearer ${good} ${good}`,
      `Basic ${good}`,
    ]
    for (const authorization of [...malformed, `DPoP ${good}`, `Bearer\t${good}`]) {
      const answer = await bench.send({ path: '/todos', headers: { authorization } })
      assert.deepEqual([answer.status, answer.body], [401, unauthorized], authorization.slice(0, 12))
    }
    assert.equal(bench.upstream.seen.length, 0)
  })

  it('N207 takes no ID token: it is meant for a client, whatever scopes it says', async () => {
    const { mint } = bench.issuer
    const claims = { aud: 'spa-client', azp: 'spa-client', nonce: 'n', scope: 'read:todos', email: 'anna@example.test' }
    assertInvalid(await read(mint(claims)), 'the token does not have a valid audience')
    assertInvalid(await read(mint({ ...claims, client_id: audience })), 'the token does not have a valid audience')
    assert.equal((await read(mint({ ...claims, aud: audience }))).status, 200)
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
    for (const token of twoReadings) assertInvalid(await read(token), 'token is malformed')
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
    assertInvalid(await read(twin), 'token is malformed')
  })

  it('N209 refuses other claims under the signature of a token that is in the cache', async () => {
    const token = bench.issuer.mint({ scope: 'read:todos' })
    assert.equal((await read(token)).status, 200)
    const [head, , signature] = token.split('.')
    const claims = bench.issuer.mint({ scope: 'read:todos', org_id: 'org_other' }).split('.')[1]
    bench.upstream.seen.length = 0
    assertInvalid(await read(`${head}.${claims}.${signature}`), 'the token signature is invalid')
    assert.deepEqual(bench.upstream.seen, [])
    assert.equal((await read(token)).status, 200)
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
