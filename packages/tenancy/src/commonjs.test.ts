import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

const require = createRequire(import.meta.url)
const { exports } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  exports: Record<string, string>
}

test('an application in CommonJS requires every entry of the package, which a module that awaits while it is loaded would refuse', () => {
  for (const entry of Object.keys(exports)) {
    const loaded = require(`@tenantry/tenancy${entry.slice(1)}`) as object
    assert.notEqual(Object.keys(loaded).length, 0, entry)
  }
})

test('an application in CommonJS is told the types of Drizzle’s transaction, though it has another declaration of the same class', () => {
  const compiler = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc')
  const options = '--ignoreConfig --noEmit --strict --skipLibCheck --module nodenext --target es2024 --types node'
  const compiled = spawnSync(
    process.execPath,
    [compiler, ...options.split(' '), '--allowImportingTsExtensions', '--erasableSyntaxOnly', 'test-commonjs.cts'],
    { cwd: import.meta.dirname, encoding: 'utf8' },
  )
  assert.equal(compiled.stdout, '')
  assert.equal(compiled.status, 0)
})
