/** Version 4, typed, whose managers are generated; the last one before `manager.list`. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ManagementClient } from 'auth0-4'
import { accessSuite } from './auth0-4/access.ts'
import { actionsSuite } from './auth0-4/actions.ts'
import { methodsOf } from './auth0-4/client.ts'
import { clientsSuite } from './auth0-4/clients.ts'
import { lookSuite } from './auth0-4/look.ts'
import { notYetSuite } from './auth0-4/not-yet.ts'
import { organizationsSuite } from './auth0-4/organizations.ts'
import { rolesSuite } from './auth0-4/roles.ts'
import { transportSuite } from './auth0-4/transport.ts'
import { usersSuite } from './auth0-4/users.ts'
import { counting, type SdkWorld, startSdkWorld } from './fixture.ts'

/** Of operations that this server does not set out to serve. */
const LEFT_OUT = [
  /^(blacklists|flows|forms|hooks|networkAcls|riskAssessments|rules|rulesConfigs)\./,
  /^(connectionProfiles|selfServiceProfiles|tokenExchangeProfiles|userAttributeProfiles)\./,
  /^branding\.(\w*Phone\w*|resetTemplate)$/,
  /^guardian\.[gs]et(Phone|Sms|Push)\w+$/,
  /^guardian\.update(Phone|Push)\w+$/,
  /^keys\.(\w*Encryption\w*|createPublicWrappingKey)$/,
  /^prompts\.\w*Rendering\w*$/,
  /^users\.(getConnectedAccounts|deleteTokenset|getAllTokensets)$/,
]

let world: SdkWorld
const called = new Set<string>()
before(async () => {
  world = await startSdkWorld()
})
after(() => world.close())

const into = (other: SdkWorld) => counting(new ManagementClient(other.options), called).api
const open = () => ({ world, api: into(world), into })

describe('auth0 4', () => {
  organizationsSuite(open)
  usersSuite(open)
  rolesSuite(open)
  clientsSuite(open)
  actionsSuite(open)
  lookSuite(open)
  accessSuite(open)
  notYetSuite(open)
  transportSuite(open)

  test('no method was left out', () => {
    const left = methodsOf(new ManagementClient(world.options)).filter(
      (name) => !called.has(name) && !LEFT_OUT.some((each) => each.test(name)),
    )
    assert.deepEqual(left, [])
    world.assertDriven(4)
  })
})
