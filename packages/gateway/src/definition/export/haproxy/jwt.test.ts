/** Which tokens an exported configuration accepts, row by row of the table of the gateway’s own authorizer. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { withoutHaproxy } from './test-haproxy.ts'
import { assertRefused, type Shop, startShop } from './test-shop.ts'

describe('an exported HAProxy configuration', { skip: withoutHaproxy }, () => {
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop?.close())
  const seconds = () => Math.floor(Date.now() / 1000)

  it('1, 2 refuses requests without a token, and with something else', async () => {
    const { bearer, send } = shop
    assertRefused(await send('/todos'), null)
    assertRefused(await send('/todos', bearer('not-a-token')), 'token contains an invalid number of segments')
    assertRefused(await send('/todos', bearer('a.b.c')), 'token is malformed')
  })

  it('3, 4, 5 accepts a token with prefix, without, and of a second key', async () => {
    const { ask, bearer, issuer, send } = shop
    const token = issuer.mint({ scope: 'read:todos' })
    assert.equal((await send('/todos', bearer(token))).status, 200)
    assert.equal((await send('/todos', { authorization: token })).status, 200)
    assert.equal((await ask({}, { kid: 'key-2' })).status, 200)
    for (const alg of ['RS384', 'RS512']) assert.equal((await ask({}, { alg })).status, 200)
  })

  it('6, 7, 8 refuses bad signatures, unknown keys and other algorithms', async () => {
    const { ask, bearer, issuer, keys, send } = shop
    const [head, body, signature] = issuer.mint({ scope: 'read:todos' }).split('.')
    const [, other] = issuer.mint({ scope: 'admin:todos' }).split('.')
    assertRefused(await send('/todos', bearer(`${head}.${other}.${signature}`)), 'the token signature is invalid')
    assertRefused(await ask({}, { kid: 'key-9' }), 'unable to find a key that matches the key id of the token')
    assertRefused(await ask({}, { kid: undefined }), 'the token header does not have a key id')
    const forged = Buffer.from('{"alg":"HS256","kid":"key-1"}').toString('base64url')
    const mac = createHmac('sha256', keys.tenants!['key-1']!).update(`${forged}.${body}`).digest('base64url')
    assertRefused(await send('/todos', bearer(`${forged}.${body}.${mac}`)), 'signing method HS256 is invalid')
    const none = Buffer.from('{"alg":"none","kid":"key-1"}').toString('base64url')
    assertRefused(await send('/todos', bearer(`${none}.${body}.AAAA`)), 'signing method none is invalid')
  })

  it('9, 10, 11 refuses what is expired, not yet valid or issued later', async () => {
    const { ask } = shop
    assertRefused(await ask({ exp: seconds() - 5 }), 'the token has expired')
    assertRefused(await ask({ exp: undefined }), 'the token has expired')
    assertRefused(await ask({ exp: 'never' }), 'the token has expired')
    assertRefused(await ask({ exp: String(seconds() + 60) }), 'the token has expired')
    assertRefused(await ask({ nbf: seconds() + 60 }), 'the token is not valid yet')
    assertRefused(await ask({ nbf: 'x' }), 'the token is not valid yet')
    assertRefused(await ask({ iat: seconds() + 60 }), 'the token was issued in the future')
    assert.equal((await ask({ nbf: seconds() - 60 })).status, 200)
  })

  it('12, 13, 14, 15 compares issuer and audience, with client_id only for an absent audience', async () => {
    const { ask, issuer } = shop
    assertRefused(await ask({ iss: issuer.issuer.replace(/\/$/, '') }), 'issuer does not match')
    assertRefused(await ask({ aud: 'somebody' }), 'the token does not have a valid audience')
    assert.equal((await ask({ aud: ['somebody', 'other'] })).status, 200)
    assertRefused(await ask({ aud: ['somebody'] }), 'the token does not have a valid audience')
    assert.equal((await ask({ aud: undefined, client_id: 'other' })).status, 200)
    for (const aud of ['somebody', [], ['somebody'], null, {}]) {
      assertRefused(await ask({ aud, client_id: 'other' }), 'the token does not have a valid audience')
    }
  })

  it('16 to 20 wants one of the scopes of the route and method, as a whole word', async () => {
    const { ask, bearer, issuer, send } = shop
    for (const claims of [
      { scope: undefined },
      { scope: 'read:todosX' },
      { scope: 'xread:todos' },
      { scope: 'write:todos' },
    ]) {
      const { status, body, headers } = await ask(claims)
      assert.deepEqual([status, body, headers['www-authenticate']], [403, '{"message":"Forbidden"}', undefined])
    }
    assert.equal((await ask({ scope: 'x admin:todos y' })).status, 200)
    assert.equal((await ask({ scp: ['x', 'admin:todos'], scope: 'x' })).status, 200)
    assert.equal((await ask({ scp: ['x read:todos'], scope: 'read:todos' })).status, 403)
    assert.equal((await ask({ scp: 'read:todos', scope: undefined })).status, 200)
    assert.equal((await send('/todos', bearer(issuer.mint({ scope: 'read:todos' })), 'POST')).status, 403)
    assert.equal((await send('/todos', bearer(issuer.mint({ scope: 'write:todos' })), 'POST')).status, 200)
  })
})
