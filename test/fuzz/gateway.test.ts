import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fuzzGateway } from './gateway.ts'

it('N201 N202 N204 N220 random requests and upstreams for a while: no crash, no leak, nothing unauthorised, no foreign answer', async () => {
  const { faults, forwarded, authorised, connections } = await fuzzGateway(20_261_129, 20_000, 1_000)
  assert.deepEqual(faults, [])
  // A grammar that nothing of gets through, or only what is open, would find nothing.
  assert.ok(connections > 100 && forwarded > 50 && authorised > 10, `${connections} ${forwarded} ${authorised}`)
})
