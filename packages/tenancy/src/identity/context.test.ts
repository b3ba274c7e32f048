import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'
import { currentIdentity, IdentityMissing, identityIfAny, withIdentity, withoutIdentity } from './context.ts'
import { backgroundIdentity, type SaasIdentity } from './saas-identity.ts'

const tenant = (letters: string) =>
  backgroundIdentity({ tenantId: letters.repeat(24 / letters.length), reason: 'test' })
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

test('N235 500 tenants interleaved through timers, emitters, a batch loader and thrown errors each meet their own identity or an error', async () => {
  const events = new EventEmitter().setMaxListeners(0)
  /** One for all, as a global of a module is: whoever asks first has everybody's batch run in his turn. */
  const loader = (later: (flush: () => void) => unknown) => {
    const asked: { own: SaasIdentity; tell: (met: unknown) => void }[] = []
    const flush = () => {
      for (const { own, tell } of asked.splice(0)) {
        try {
          tell(withIdentity(own, currentIdentity))
        } catch (error) {
          tell(error)
        }
      }
    }
    return () =>
      new Promise((tell) => {
        if (asked.push({ own: currentIdentity(), tell }) === 1) later(flush)
      })
  }
  const careless = loader(setImmediate)
  const careful = loader((flush) => withoutIdentity(() => setImmediate(flush)))
  const in_ = (schedule: (done: () => void) => unknown) => new Promise((tell) => schedule(() => tell(identityIfAny())))

  let refused = 0
  await Promise.all(
    Array.from({ length: 500 }, (_, n) => {
      const own = tenant(String(n).padStart(4, '0'))
      return withIdentity(own, async () => {
        const told = once(events, `go ${n}`)
        const met = await Promise.all([
          in_((done) => setTimeout(done, n % 7)),
          in_(setImmediate),
          in_(process.nextTick),
          in_(queueMicrotask),
          in_((done) => {
            const timer = setInterval(() => {
              clearInterval(timer)
              done()
            }, n % 5)
          }),
          careful(),
        ])
        // Another one's turn lets this one go on.
        events.emit(`go ${(n + 250) % 500}`)
        await told
        met.push(currentIdentity())
        met.push(
          await in_((done) => setTimeout(done, n % 3))
            .then(() => Promise.reject(new Error('thrown')))
            .catch(identityIfAny),
        )
        for (const each of met) assert.equal(each, own)
        const answer = await careless()
        if (answer instanceof Error) {
          assert.match(answer.message, /for one tenant and asks to act for another/)
          refused++
        } else assert.equal(answer, own)
        assert.equal(currentIdentity(), own)
      })
    }),
  )
  assert.ok(refused > 0, 'nobody shared a batch, so this proved nothing of it')
})

test('N233 background work needs a tenant and a reason, and has no rights of a caller', () => {
  assert.throws(() => backgroundIdentity({ tenantId: ' ', reason: 'export' }), /needs the id of a tenant/)
  assert.throws(() => backgroundIdentity({ tenantId: 'a', reason: '' }), /needs a reason/)
  assert.deepEqual(
    [a.subject, a.clientId, a.scopes.size, a.permissions.size, a.roles.size],
    ['system', 'test', 0, 0, 0],
  )
})
