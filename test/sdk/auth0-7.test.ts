/** Version 7, generated from Auth0's own description: every operation that is set out to be served is called. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ManagementClient } from 'auth0'
import { shapeOf } from '../reference/compatibility.ts'
import { actionsSuite } from './auth0-7/actions.ts'
import { apisSuite } from './auth0-7/apis.ts'
import { clientsSuite } from './auth0-7/clients.ts'
import { connectionsSuite } from './auth0-7/connections.ts'
import { environmentSuite } from './auth0-7/environment.ts'
import { factorsSuite } from './auth0-7/factors.ts'
import { jobsSuite } from './auth0-7/jobs.ts'
import { limitsSuite } from './auth0-7/limits.ts'
import { logsSuite } from './auth0-7/logs.ts'
import { notYetSuite } from './auth0-7/not-yet.ts'
import { organizationMembersSuite } from './auth0-7/organization-members.ts'
import { organizationsSuite } from './auth0-7/organizations.ts'
import { rolesSuite } from './auth0-7/roles.ts'
import { ticketsAndMailSuite } from './auth0-7/tickets-mail.ts'
import { usersSuite } from './auth0-7/users.ts'
import { usersAccessSuite } from './auth0-7/users-access.ts'
import { type SdkWorld, startSdkWorld } from './fixture.ts'
import { operations } from './operations.ts'

let world: SdkWorld
before(async () => {
  world = await startSdkWorld()
})
after(() => world.close())

/** 501 is final, and not worth the two retries of this version. */
const open = () => ({ world, api: new ManagementClient({ ...world.options, maxRetries: 0 }) })

describe('auth0 7', () => {
  rolesSuite(open)
  organizationsSuite(open)
  organizationMembersSuite(open)
  usersSuite(open)
  usersAccessSuite(open)
  clientsSuite(open)
  connectionsSuite(open)
  apisSuite(open)
  actionsSuite(open)
  logsSuite(open)
  jobsSuite(open)
  ticketsAndMailSuite(open)
  environmentSuite(open)
  factorsSuite(open)
  notYetSuite(open)
  limitsSuite(open)

  test('every operation was called: with success, or with 501 where the table says not yet', () => {
    const left = operations
      .map(({ method, path }) => shapeOf(method, path))
      .filter((shape) => !world.answered.has(shape) && !world.notYet.has(shape))
    assert.deepEqual(left, [])
    world.assertDriven(7)
  })
})
