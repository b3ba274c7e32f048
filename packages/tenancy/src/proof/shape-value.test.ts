import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeApi } from './api-description.ts'
import { textFor } from './pattern.ts'
import { createRandom, similarId } from './random.ts'
import { type Filling, valueFor } from './shape-value.ts'

const shapeOf = (schema: unknown) =>
  describeApi({
    openapi: '3.0.0',
    paths: { '/x': { post: { requestBody: { content: { 'application/json': { schema } } } } } },
  }).routes[0]!.body!.shape

function fill(schema: unknown, filling: Filling = 'everything') {
  const random = createRandom('test')
  const kept: string[] = []
  const value = valueFor(shapeOf(schema), {
    filling,
    random,
    now: new Date('2026-01-02T03:04:05Z'),
    mark: () => `tpa${random.text(10)}`,
    keep: (text) => void kept.push(text),
    reference: (path) => (path.at(-1) === 'ownerId' ? 'o-1' : undefined),
  })
  return { value, kept }
}

test('values fit their shapes, and texts are markers wherever the shape lets them be', () => {
  const { value, kept } = fill({
    type: 'object',
    properties: {
      id: { type: 'string', readOnly: true },
      name: { type: 'string' },
      mail: { type: 'string', format: 'email' },
      due: { type: 'string', format: 'date-time' },
      key: { type: 'string', format: 'uuid' },
      code: { type: 'string', pattern: '^[A-Z]{3}-[0-9]{6}$' },
      size: { type: 'integer', minimum: 5, maximum: 5 },
      state: { type: 'string', enum: ['open', 'shut'] },
      ownerId: { type: 'string' },
      tags: { type: 'array', minItems: 2, items: { type: 'string', maxLength: 10 } },
    },
  }) as { value: Record<string, string> & { tags: string[] }; kept: string[] }
  assert.equal('id' in value, false)
  assert.match(value.name!, /^tpa[a-z2-9]{10}$/)
  assert.match(value.mail!, /^tpa[a-z2-9]{10}@example\.com$/)
  assert.equal(value.due, '2026-02-01T03:04:05.000Z')
  assert.match(value.code!, /^[A-Z]{3}-[0-9]{6}$/)
  assert.deepEqual([value.size, value.state, value.ownerId], [5, 'open', 'o-1'])
  assert.deepEqual(
    value.tags.map(({ length }) => length),
    [10, 10],
  )
  // What no longer shows its marker is known by itself; a date is nobody's.
  assert.deepEqual(kept, [value.key, value.code])
})

test('what is sent gets barer: examples, and then only what is required', () => {
  const schema = {
    type: 'object',
    required: ['plan'],
    properties: { plan: { type: 'string', example: 'gold' }, note: { type: 'string' } },
  }
  assert.equal((fill(schema, 'examples').value as { plan: string }).plan, 'gold')
  assert.deepEqual(Object.keys(fill(schema, 'required').value as object), ['plan'])
})

test('texts are made for patterns as schemas use them; what cannot be read gives none', () => {
  const random = createRandom('patterns')
  for (const pattern of [
    '^[a-z]+$',
    '^\\d{4}-\\d{2}$',
    '^(red|green)-(?:x|y)?[^a-c]$',
    '^[A-Za-z0-9._-]{1,64}$',
    '^\\S.{0,3}\\w$',
    '^a\\.b\\+$',
    '^#[0-9a-fA-F]{6}$',
  ]) {
    const text = textFor(pattern, random)
    assert.ok(text !== undefined && new RegExp(pattern, 'u').test(text), `${pattern}: ${text}`)
  }
  for (const pattern of ['^(?=a)b', '[', '^\\p{L}+$']) assert.equal(textFor(pattern, random), undefined, pattern)
})

test('an id that belongs to nothing has the form of those that belong to something', () => {
  const random = createRandom('ids')
  const cases: [string, string[], RegExp][] = [
    ['prj_00ff00ff', ['prj_11aa11aa'], /^prj_[0-9a-f]{8}$/],
    ['4711', ['4712'], /^9\d{8}$/],
    ['0b1c2d3e-1111-4222-a333-444455556666', [], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/],
    ['CR-6040', ['KS-1'], /^[A-Z]{2}-\d{4}$/],
  ]
  for (const [id, others, form] of cases) {
    const made = similarId(id, [id, ...others], random)
    assert.match(made, form)
    assert.ok(made !== id && !others.includes(made))
  }
})
