import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineProblems, Problem } from './problem.ts'

const problems = defineProblems({
  no_such_thing: { status: 404, title: 'There is no {thing} called {name}.' },
})

test('a problem has a code, a status and a public text filled from its facts', () => {
  const problem = problems.no_such_thing({ facts: { thing: 'role', name: 'admin' } })
  assert.ok(problem instanceof Problem)
  assert.ok(problem instanceof Error)
  assert.deepEqual(
    [problem.code, problem.status, problem.message],
    ['no_such_thing', 404, 'There is no role called admin.'],
  )
})

test('facts are filled in once: what looks like a placeholder inside a fact stays text, and a missing one stays visible', () => {
  const nested = problems.no_such_thing({ facts: { thing: '{name}', name: '$& $1' } })
  assert.equal(nested.message, 'There is no {name} called $& $1.')
  assert.equal(problems.no_such_thing().message, 'There is no {thing} called {name}.')
  const odd = defineProblems({ odd: { status: 400, title: '{toString} {constructor}' } })
  assert.equal(odd.odd({ facts: { toString: 'a' } }).message, 'a {constructor}')
})

test('what is internal is kept apart from the text', () => {
  const cause = new Error('duplicate key value violates a constraint')
  const problem = problems.no_such_thing({ internal: 'row 7', cause, facts: { thing: 'a', name: 'b' } })
  assert.equal(problem.internal, 'row 7')
  assert.equal(problem.cause, cause)
  assert.equal(problem.message.includes('row 7') || problem.message.includes('duplicate'), false)
  assert.equal('cause' in problems.no_such_thing(), false)
})
