import assert from 'node:assert/strict'
import { test } from 'node:test'
import { localOrigin } from './listen.ts'

test('an address at the port of its scheme is named without it, as every client does in Host', () => {
  assert.deepEqual(
    [localOrigin('https', 443), localOrigin('http', 80), localOrigin('https', 80), localOrigin('http', 4000)],
    ['https://localhost', 'http://localhost', 'https://localhost:80', 'http://localhost:4000'],
  )
})
