import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertCommitted } from './committed.ts'
import { documentedNames, kitReference } from './kit.ts'

const names = documentedNames()

test('the committed reference of the kit is what its docstrings say now', () => {
  assert.ok(names.length > 60, `${names.length} names were found`)
  assertCommitted('tenancy.md', kitReference(names))
})

test('every name that the kit exports has a signature in its reference', () => {
  assert.deepEqual(
    names.filter(({ signature }) => signature === '').map(({ entry, name }) => `${entry} ${name}`),
    [],
  )
})

test('every function that the kit exports says in words what it does', () => {
  const silent = names.filter(
    (each) => each.signature.startsWith('function') && each.text === '' && each.examples.length === 0,
  )
  assert.deepEqual(
    silent.map(({ entry, name }) => `${entry} ${name}`),
    [],
  )
})
