import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type SdkWorld, startSdkWorld } from '../fixture.ts'
import { accessSuite } from './access.ts'
import { actionsSuite } from './actions.ts'
import { aliases, legacy, methodsOf, throughAliases } from './client.ts'
import { clientsSuite, credentialsSuite } from './clients.ts'
import { guardianSuite } from './guardian.ts'
import { jobsSuite, ticketsSuite } from './jobs.ts'
import { logsSuite } from './logs.ts'
import { lookSuite } from './look.ts'
import { mailSuite } from './mail.ts'
import { organizationsSuite } from './organizations.ts'
import { rolesSuite } from './roles.ts'
import { transportSuite } from './transport.ts'
import { usersSuite } from './users.ts'

/** Of operations that this server does not set out to serve. */
const LEFT_OUT = [
  /^(rules|rulesConfigs|hooks|blacklistedTokens|migrations)\./,
  /^guardian\.(get|update)(FactorSettings|FactorProvider|FactorTemplates|PhoneFactor\w+)$/,
  // DELETE /users, and versions made by hand.
  /^users\.deleteAll$/,
  /^actions\.createVersion$/,
]

/** Everything that version 2 or 3 can ask for, asked for. */
export function legacySuite(major: 2 | 3): void {
  let world: SdkWorld
  let counted: ReturnType<ReturnType<typeof legacy>['counted']>
  before(async () => {
    world = await startSdkWorld()
    counted = legacy(major).counted(world)
  })
  after(() => world.close())

  describe(`auth0 ${major}`, () => {
    for (const way of ['managers', 'aliases'] as const) {
      describe(way === 'managers' ? 'through its managers' : 'through the methods of the client itself', () => {
        const into = (other: SdkWorld) => {
          const { api } = legacy(major).counted(other, counted.called)
          return way === 'managers' ? api : throughAliases(api, aliases(legacy(major).open(other)))
        }
        const open = () => ({ world, major, tag: `${way}-${major}`, api: into(world), into })
        organizationsSuite(open)
        usersSuite(open)
        rolesSuite(open)
        clientsSuite(open)
        if (major === 3) credentialsSuite(open)
        actionsSuite(open)
        logsSuite(open)
        lookSuite(open)
        mailSuite(open)
        jobsSuite(open)
        ticketsSuite(open)
        accessSuite(open)
        guardianSuite(open)
        if (way === 'managers') transportSuite(open)
      })
    }

    test('the token is had on its own', async () => {
      assert.match(await counted.api.getAccessToken(), /^[\w-]+\.[\w-]+\.[\w-]+$/)
    })

    test('a name that was once misspelt still works', async () => {
      const ask = { id: 'auth0|0123456789abcdef01234567', provider: 'duo' }
      await assert.rejects(counted.api.deleteUserMultifactor({ ...ask }), { statusCode: 404 })
      await assert.rejects(counted.api.deleteUserMultifcator({ ...ask }), { statusCode: 404 })
    })

    test('no method was left out', () => {
      const client = legacy(major).open(world)
      const known = aliases(client)
      const left = methodsOf(client).filter(
        (name) => !counted.called.has(name) && !LEFT_OUT.some((each) => each.test(known.get(name) ?? name)),
      )
      assert.deepEqual(left, [])
      world.assertDriven(major)
    })
  })
}
