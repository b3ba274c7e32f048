import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRequestBody } from './request-body.ts'

const idle = { pause: () => {}, resume: () => {} }

test('a body that comes in chunks of one byte is handed on in as many pieces as it was read in, and whole', async () => {
  const body = createRequestBody(-1, idle)
  const pieces: Buffer[] = []
  body.stream.on('data', (piece: Buffer) => pieces.push(piece))
  const ended = new Promise((resolve) => body.stream.on('end', resolve))
  const read = Buffer.from('1\r\nx\r\n'.repeat(10_000))
  for (const bytes of [read, read, Buffer.from('1\r\ny\r\n0\r\n\r\nrest')]) body.take(bytes, 0)
  await ended
  assert.deepEqual(
    pieces.map(({ length }) => length),
    [10_000, 10_000, 1],
  )
  assert.equal(Buffer.concat(pieces).toString(), `${'x'.repeat(20_000)}y`)
  assert.equal(body.isComplete, true)
})

test('pieces stay what they were when the memory of their read is written over', async () => {
  for (const [length, text] of [
    [-1, '4\r\nabcd\r\n'],
    [8, 'abcd'],
  ] as const) {
    const body = createRequestBody(length, idle)
    const bytes = Buffer.from(text)
    body.take(bytes, 0)
    bytes.fill(0)
    assert.equal(body.stream.read().toString(), 'abcd')
  }
})

test('what is behind a body, and where its coding breaks, is said by position', () => {
  const take = (text: string) => createRequestBody(-1, idle).take(Buffer.from(text), 0)
  assert.equal(take('1\r\nx\r\n0\r\n\r\nGET'), '1\r\nx\r\n0\r\n\r\n'.length)
  assert.equal(take('1\r\nx\r\nno\r\n'), -1)
})
