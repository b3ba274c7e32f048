import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
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
