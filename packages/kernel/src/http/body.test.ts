import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../problem.ts'
import { parseForm, parseJson, parseParameters, parseQuery } from './body.ts'

const refused = (work: () => unknown, reason: RegExp) =>
  assert.throws(work, (error) => {
    assert.ok(error instanceof Problem)
    assert.deepEqual([error.code, error.status], ['invalid_body', 400])
    assert.match(error.message, reason)
    return true
  })

const json = (text: string | Buffer) => parseJson(Buffer.from(text))
const form = (text: string | Buffer) => ({ ...parseForm(Buffer.from(text)) })

test('JSON is read as it is', () => {
  assert.deepEqual(json('{"a":[1,"ä 𝄞",null,true,{"b":{}}]}'), { a: [1, 'ä 𝄞', null, true, { b: {} }] })
  assert.equal(json('"\\ud834\\udd1e"'), '𝄞')
})

test('JSON that is none, is no UTF-8, or holds what PostgreSQL cannot store is refused', () => {
  refused(() => json(''), /empty/)
  refused(() => json('{"a":'), /not valid JSON/)
  refused(() => json("{'a':1}"), /not valid JSON/)
  refused(() => json('\ufeff{}'), /not valid JSON/)
  refused(() => json(Buffer.from([0x22, 0xff, 0x22])), /not valid UTF-8/)
  refused(() => json(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])), /not valid UTF-8/)
  refused(() => json('{"a":["x\\u0000"]}'), /NUL/)
  refused(() => json('{"a\\u0000":1}'), /member name/)
  refused(() => json('{"a":"\\ud800"}'), /half a surrogate pair/)
  refused(() => json('{"a":"\\udd1e\\ud834"}'), /half a surrogate pair/)
  refused(() => json('{"\\ud800":1}'), /member name/)
})

test('N131 a body cannot reach a prototype, and deep nesting does not reach a stack’s end', () => {
  refused(() => json('{"__proto__":{"x":1}}'), /member name/)
  refused(() => json('{"a":[{"__proto__":null}]}'), /member name/)
  assert.equal(({} as Record<string, unknown>).x, undefined)
  assert.ok(json(`${'['.repeat(30)}${']'.repeat(30)}`))
  refused(() => json(`${'['.repeat(40)}${']'.repeat(40)}`), /nested/)
  refused(() => json(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`), /nested/)
})

test('a form is a record of texts, percent-encoded or plain UTF-8', () => {
  assert.deepEqual(form('a=1&b=x+y%20z&c=%C3%A4&d=ä&e=&f&&g=h=i'), {
    a: '1',
    b: 'x y z',
    c: 'ä',
    d: 'ä',
    e: '',
    f: '',
    g: 'h=i',
  })
  assert.deepEqual(form(''), {})
  assert.deepEqual(form('a%5B%5D=1&__proto__=2').a, undefined)
})

test('N52 a parameter that comes twice is refused, also under two spellings of its name', () => {
  refused(() => form('a=1&b=2&a=1'), /The parameter a is sent more than once/)
  refused(() => form('a=1&%61=2'), /more than once/)
  refused(() => form('a+b=1&a%20b=2'), /more than once/)
  refused(() => form(`${'x'.repeat(500)}=1&${'x'.repeat(500)}=2`), /^The parameter x{60} is/)
})

test('a form that is no UTF-8, badly encoded or holds a NUL is refused', () => {
  refused(() => form(Buffer.from([0x61, 0x3d, 0xff])), /not valid UTF-8/)
  for (const text of ['a=%', 'a=%zz', 'a=%ff', 'a=%c3', '%ed%a0%80=1']) refused(() => form(text), /percent-encoded/)
  refused(() => form('a=%00'), /NUL/)
  refused(() => form('%00=a'), /NUL/)
})

test('a record of parameters has no prototype: no name is there that was not sent', () => {
  const record = parseParameters('__proto__=a&constructor=b')
  assert.equal(Object.getPrototypeOf(record), null)
  assert.deepEqual(Object.entries(record), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ])
  assert.equal(parseParameters('').toString, undefined)
})

test('the query of an address is what stands behind its first question mark', () => {
  assert.deepEqual({ ...parseQuery('/a?b=c') }, { b: 'c' })
  assert.deepEqual({ ...parseQuery('/a?b=https://x.test/?c=d') }, { b: 'https://x.test/?c=d' })
  assert.deepEqual({ ...parseQuery('/a?') }, {})
  assert.deepEqual({ ...parseQuery('/a') }, {})
})
