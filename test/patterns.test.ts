/** Every regular expression of the servers and of the kit, in the code and in the schemas of routes, against long hostile texts. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { parse } from '@babel/parser'
import { startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const LENGTH = 50_000
const UNITS = [
  ...[
    'a',
    'A',
    '0',
    ' ',
    '\t',
    '-',
    '_',
    '.',
    '/',
    '\\',
    '"',
    "'",
    ',',
    ';',
    ':',
    '=',
    '@',
    '%',
    '(',
    '[',
    '{',
    '<',
    '*',
    '+',
    '&',
    '|',
  ],
  ...['\n', '\r\n', 'a.', 'a-', 'a@', 'a,', ' ,', 'a ', '../', '%2', '""', '\\"', 'a=', '<a', 'é', 'a:'],
]
const hostile = UNITS.flatMap((unit) => {
  const run = unit.repeat(LENGTH / unit.length)
  return [run, `${run}!`, `"${run}\0`, `a${run}a`]
})
/** Of this process alone: the machine may be busy with something else. */
function milliseconds(pattern: RegExp, text: string): number {
  pattern.lastIndex = 0
  const started = process.cpuUsage()
  pattern.test(text)
  const { user, system } = process.cpuUsage(started)
  return (user + system) / 1000
}

/**
 * What a linear search needs is a few; a quadratic one takes a second and more. Both are so much more on a slower machine,
 * so they are compared with one that is quadratic.
 */
const patience = Math.min(...[1, 2, 3].map(() => milliseconds(/a*b/, 'a'.repeat(LENGTH)))) / 7

/** Also when asked again: this process may have been busy with something else. */
const isSlow = (pattern: RegExp, text: string) => [1, 2, 3].every(() => milliseconds(pattern, text) > patience)

const slow = (patterns: Map<string, RegExp>): string[] =>
  [...patterns]
    .filter(([, pattern]) => hostile.some((text) => isSlow(pattern, text)))
    .map(([where, pattern]) => `${where} ${pattern.source}`)

test('N145 no pattern in the code takes longer than its text is long', () => {
  const patterns = new Map<string, RegExp>()
  const files = globSync('packages/{kernel,identity,gateway,tenancy}/src/**/*.ts', { cwd: `${import.meta.dirname}/..` })
  for (const file of files.filter((name) => !/test|fixture/.test(name))) {
    const text = readFileSync(`${import.meta.dirname}/../${file}`, 'utf8')
    const { tokens } = parse(text, { sourceType: 'module', plugins: ['typescript'], tokens: true })
    for (const { type, value, loc } of tokens!) {
      if (type.label === 'regexp')
        patterns.set(`${file}:${loc.start.line}:${loc.start.column}`, new RegExp(value.pattern, value.flags))
    }
  }
  assert.ok(patterns.size > 300, `${patterns.size} patterns`)
  assert.deepEqual(slow(patterns), [])
})

test('N145 no pattern in the schema of a route takes longer than its text is long', () => {
  const patterns = new Map<string, RegExp>()
  const collect = (schema: unknown): void => {
    if (typeof schema !== 'object' || schema === null) return
    for (const [key, value] of Object.entries(schema)) {
      if (key === 'pattern' && typeof value === 'string') patterns.set(value, new RegExp(value, 'u'))
      else collect(value)
    }
  }
  for (const { schema } of identity.routes) collect(schema)
  assert.ok(patterns.size > 5, `${patterns.size} patterns`)
  assert.deepEqual(slow(patterns), [])
})
