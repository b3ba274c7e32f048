import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLucene, type Query } from './lucene.ts'

/** A tree as text: what belongs together stands in parentheses. */
function told(query: Query): string {
  switch (query.kind) {
    case 'everything':
      return '*'
    case 'and':
    case 'or':
      return `(${query.of.map(told).join(query.kind === 'and' ? ' & ' : ' | ')})`
    case 'not':
      return `!${told(query.of)}`
    case 'exists':
      return `exists(${query.field})`
    case 'match': {
      const { value, field } = query
      const at = field === undefined ? '' : `${field}=`
      if (value.kind === 'range') {
        const { from, to } = value
        return `${at}${from ? (from.inclusive ? '[' : '{') + from.text : '<'}..${to ? to.text + (to.inclusive ? ']' : '}') : '>'}`
      }
      return `${at}${value.kind}:${value.text}`
    }
  }
}

const means = (text: string, tree: string) => assert.equal(told(parseLucene(text)), tree, text)

test('terms, phrases, prefixes and parts are told apart, and escapes are resolved', () => {
  means('anna', 'term:anna')
  means('email:anna@example.test', 'email=term:anna@example.test')
  means('user_id:auth0|5f00', 'user_id=term:auth0|5f00')
  means('user_id:"auth0|5f00"', 'user_id=term:auth0|5f00')
  means('name:"Anna \\"the\\" Reed"', 'name=term:Anna "the" Reed')
  means('name:anna*', 'name=prefix:anna')
  means('name:*nna*', 'name=part:nna')
  means('name:"anna*"', 'name=term:anna*')
  means('name:anna\\*', 'name=term:anna*')
  means('name:a\\:b\\ c', 'name=term:a:b c')
  means('user_metadata.a.b:x', 'user_metadata.a.b=term:x')
  means('app_metadata.depth:-5', 'app_metadata.depth=term:-5')
  means('name:Jean-Luc', 'name=term:Jean-Luc')
})

test('ranges and comparisons keep their bounds, open or not', () => {
  means('n:[1 TO 5]', 'n=[1..5]')
  means('n:{1 TO 5]', 'n={1..5]')
  means('n:[ "a b" TO * }', 'n=[a b..>')
  means('t:[2026-01-01T00:00:00Z TO *]', 't=[2026-01-01T00:00:00Z..>')
  means('n:>=3', 'n=[3..>')
  means('n:<3', 'n=<..3}')
  means('t:>2026-01-01T10:00', 't={2026-01-01T10:00..>')
})

test('AND binds more than OR, NOT more than both; terms side by side are joined by OR', () => {
  means('a:1 OR b:2 AND c:3', '(a=term:1 | (b=term:2 & c=term:3))')
  means('a:1 b:2', '(a=term:1 | b=term:2)')
  means('NOT a:1 AND b:2', '(!a=term:1 & b=term:2)')
  means('(a:1 OR b:2) AND -c:3', '((a=term:1 | b=term:2) & !c=term:3)')
  means('a:1 && !b:2 || c:3', '((a=term:1 & !b=term:2) | c=term:3)')
  means('email_verified:false OR NOT _exists_:email_verified', '(email_verified=term:false | !exists(email_verified))')
  means('name:(anna OR ben)', '(name=term:anna | name=term:ben)')
  means('-a:1', '!a=term:1')
})

test('what is excluded or required beside other terms holds for all of them', () => {
  means('a:1 -b:2', '(a=term:1 & !b=term:2)')
  means('-b:2 a:1 c:3', '((a=term:1 | c=term:3) & !b=term:2)')
  means('a:1 +b:2', '(a=term:1 & b=term:2)')
  means('-a:1 -b:2', '(!a=term:1 & !b=term:2)')
})

test('a star alone asks for everything, or for the presence of its field', () => {
  means('*', '*')
  means('*:*', '*')
  means('email:*', 'exists(email)')
  means('email:[* TO *]', 'exists(email)')
  means('_exists_:app_metadata.plan', 'exists(app_metadata.plan)')
})

test('bad grammar is refused with the position and the remedy', () => {
  for (const [text, position] of [
    ['email:', 7],
    ['email:"anna', 7],
    ['(a:1', 1],
    ['a:1)', 4],
    ['a:1 AND', 8],
    ['AND a:1', 1],
    ['a:b:c', 4],
    ['name:?nna', 6],
    ['name:anna~2', 10],
    ['name:anna^2', 10],
    ['name:/anna/', 6],
    ['name:*nna', 6],
    ['name:*na*', 6],
    ['name:a*b', 6],
    ['na*me:a', 1],
    ['n:[1 5]', 3],
    ['n:[1 TO 5', 3],
    ['n:[1 TO', 3],
    ['a:(b:1)', 4],
    ['_exists_:"x"', 10],
    ['n:>', 4],
    ['a:\\', 3],
    ['[1 TO 2', 1],
  ] as const) {
    assert.throws(
      () => parseLucene(text),
      (error: { code: string; status: number; facts: { position: number } }) => {
        assert.equal(error.code, 'invalid_query_string', text)
        assert.equal(error.status, 400)
        assert.equal(error.facts.position, position, `${text}: ${(error as unknown as Error).message}`)
        return true
      },
      text,
    )
  }
})

test('N134 what would be dear to read is refused: length, depth and the number of terms', () => {
  for (const text of [
    'x'.repeat(4097),
    `${'('.repeat(21)}a${')'.repeat(21)}`,
    `${'-'.repeat(21)}a`,
    `${'NOT '.repeat(900)}a`,
    'a '.repeat(101),
  ]) {
    assert.throws(() => parseLucene(text), { code: 'invalid_query_string' })
  }
  assert.equal(parseLucene('a '.repeat(100)).kind, 'or')
  assert.ok(parseLucene(`${'('.repeat(20)}a${')'.repeat(20)}`))
})
