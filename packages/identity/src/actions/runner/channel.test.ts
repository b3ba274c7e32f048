import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { receiveLines } from './channel.ts'

function listen(maxChars: number) {
  const stream = new PassThrough()
  const lines: string[] = []
  let tooLong = 0
  receiveLines(stream, maxChars, { line: (text) => lines.push(text), tooLong: () => tooLong++ })
  const write = async (...chunks: (string | Buffer)[]) => {
    for (const chunk of chunks) {
      stream.write(chunk)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { write, lines, tooLong: () => tooLong }
}

test('lines arrive whole, however they are cut, between characters and within them', async () => {
  const { write, lines, tooLong } = listen(100)
  const euro = Buffer.from('€')
  await write('"a"\n"b', '', 'c"', '\n', '\n"d"\n"e"\n"', euro.subarray(0, 1), euro.subarray(1), '"\n"f')
  assert.deepEqual(lines, ['"a"', '"bc"', '', '"d"', '"e"', '"€"'])
  assert.equal(tooLong(), 0)
})

test('a line that is longer than allowed is never handed on, complete or not', async () => {
  const whole = listen(10)
  await whole.write(`${'x'.repeat(11)}\n`)
  assert.deepEqual([whole.lines, whole.tooLong()], [[], 1])
  const endless = listen(10)
  await endless.write('x'.repeat(6), 'x'.repeat(6))
  assert.deepEqual([endless.lines, endless.tooLong()], [[], 1])
  const exact = listen(10)
  await exact.write(`${'x'.repeat(10)}\n`)
  assert.deepEqual([exact.lines, exact.tooLong()], [['x'.repeat(10)], 0])
})
