import assert from 'node:assert/strict'
import { it } from 'node:test'
import { compareReadings } from './reading.ts'

it('N201 what the gateway reads as a request, Node reads as the same request, whatever the bytes and their pieces', async () => {
  const { alike, faults } = await compareReadings(20_261_130, 3_000)
  assert.deepEqual(faults, [])
  assert.ok(alike > 1_000, `only ${alike} requests were read at all`)
})
