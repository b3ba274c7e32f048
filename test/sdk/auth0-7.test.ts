/** Version 7, generated from Auth0's own description: every operation that is set out to be served is called. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ManagementClient } from 'auth0'
import { shapeOf } from '../reference/compatibility.ts'
import { rolesSuite } from './auth0-7/roles.ts'
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

  test('every operation was called: with success, or with 501 where the table says not yet', () => {
    const left = operations
      .map(({ method, path }) => shapeOf(method, path))
      .filter((shape) => !world.answered.has(shape) && !world.notYet.has(shape))
    assert.deepEqual(left, [])
    world.assertDriven(7)
  })
})
