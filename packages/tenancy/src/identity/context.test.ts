import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'
import { currentIdentity, IdentityMissing, identityIfAny, withIdentity, withoutIdentity } from './context.ts'
import { backgroundIdentity } from './saas-identity.ts'

const tenant = (letter: string) => backgroundIdentity({ tenantId: letter.repeat(24), reason: 'test' })
const [a, b] = [tenant('a'), tenant('b')]

test('without an identity there is none: not a default, not the last one', async () => {
  assert.throws(currentIdentity, IdentityMissing)
  await withIdentity(a, async () => {})
  assert.throws(currentIdentity, IdentityMissing)
  assert.equal(identityIfAny(), undefined)
})

test('an identity is seen across awaits and timers, and a thousand at once do not mix', async () => {
  const seen = await Promise.all(
    Array.from({ length: 1000 }, (_, n) => {
      const own = backgroundIdentity({ tenantId: String(n).padStart(24, '0'), reason: 'test' })
      return withIdentity(own, async () => {
        await new Promise((done) => setTimeout(done, n % 7))
        await Promise.resolve()
        return currentIdentity() === own
      })
    }),
  )
  assert.deepEqual(new Set(seen), new Set([true]))
})

test('work for one tenant cannot turn into work for another', () => {
  withIdentity(a, () => {
    assert.throws(() => withIdentity(b, () => 'reached'), /for one tenant and asks to act for another/)
    assert.equal(
      withIdentity({ ...a, scopes: new Set(['read:item']) }, () => currentIdentity().scopes.has('read:item')),
      true,
    )
    assert.equal(currentIdentity(), a)
  })
})

test('what is shared by all runs as nobody', () => {
  withIdentity(a, () => {
    assert.throws(() => withoutIdentity(currentIdentity), IdentityMissing)
    assert.equal(
      withoutIdentity(() => withIdentity(b, currentIdentity)),
      b,
    )
  })
})

test('a listener runs as whoever emits: it does not keep the identity of the one who added it', async () => {
  const events = new EventEmitter()
  const heard = withIdentity(a, () => once(events, 'told').then(() => currentIdentity()))
  let listener: unknown
  withIdentity(a, () => {
    events.on('told', () => {
      listener = identityIfAny()
    })
  })
  withIdentity(b, () => events.emit('told'))
  assert.equal(listener, b)
  assert.equal(await heard, a)
})

test('background work needs a tenant and a reason, and has no rights of a caller', () => {
  assert.throws(() => backgroundIdentity({ tenantId: ' ', reason: 'export' }), /needs the id of a tenant/)
  assert.throws(() => backgroundIdentity({ tenantId: 'a', reason: '' }), /needs a reason/)
  assert.deepEqual(
    [a.subject, a.clientId, a.scopes.size, a.permissions.size, a.roles.size],
    ['system', 'test', 0, 0, 0],
  )
})
