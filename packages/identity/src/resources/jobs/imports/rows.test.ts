import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokenFile, type FileRow, MAXIMUM_ROW_BYTES, parseRow, rowsOf } from './rows.ts'

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(text: string | Buffer, size = 7, offset = 0): Promise<FileRow[]> {
  const rows: FileRow[] = []
  for await (const row of rowsOf(pieces(Buffer.from(text as string).subarray(offset), size), offset)) rows.push(row)
  return rows
}
const texts = (rows: FileRow[]) => rows.map(({ bytes }) => bytes?.toString().trim())

const FILE = '\ufeff [ {"a":"],[{\\"}\\\\"}, {"b":[1,[2,{"c":"ä"}]]} ,\n{"d":{}} ] \n'

test('rows are found whatever a row holds and wherever the stream is cut', async () => {
  for (let size = 1; size < 70; size++) {
    assert.deepEqual(texts(await read(FILE, size)), ['{"a":"],[{\\"}\\\\"}', '{"b":[1,[2,{"c":"ä"}]]}', '{"d":{}}'])
  }
  assert.deepEqual(await read('[]'), [])
  assert.deepEqual(await read(' [ ]\n'), [])
})

test('each row says where the next one begins, and reading goes on from there', async () => {
  const rows = await read(FILE)
  for (const [index, { next }] of rows.entries()) {
    if (index === rows.length - 1) assert.equal(next, undefined)
    else
      for (const size of [1, 5, 100])
        assert.deepEqual(texts(await read(FILE, size, next)), texts(rows).slice(index + 1))
  }
})

test('a file that is no array, is cut off or goes on after its end is broken', async () => {
  for (const text of [
    '',
    ' ',
    '{}',
    '"[]"',
    '[',
    '[{}',
    '[{},',
    '[{}]x',
    '[{}][{}]',
    '[{},]',
    '[,{}]',
    '[{},,{}]',
    '[}]',
    '[{}}]',
  ]) {
    await assert.rejects(read(text), BrokenFile, text)
  }
  for (const row of ['{"a":}', '{a:1}', '{"a":1]', "{'a':1}"])
    assert.throws(() => parseRow(Buffer.from(row)), BrokenFile)
})

test('N137 a row that is too long or nested too deep is that row alone', async () => {
  const long = JSON.stringify({ a: 'x'.repeat(MAXIMUM_ROW_BYTES) })
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  const rows = await read(`[{"a":1},${long},${deep},{"b":2}]`, 65_536)
  assert.deepEqual(
    rows.map(({ bytes }) => bytes?.length),
    [7, undefined, 200_000, 7],
  )
  assert.throws(() => parseRow(rows[1]!.bytes), /longer than/)
  assert.throws(() => parseRow(rows[2]!.bytes), /nested/)
})
