import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { Problem } from '@tenantry/kernel/problem.ts'
import { loadDefinition } from './load.ts'
import { testOptions } from './test-options.ts'

const cases = path.join(import.meta.dirname, '..', 'testdata')

async function outcome(file: string): Promise<unknown> {
  try {
    return await loadDefinition(readFileSync(file, 'utf8'), {
      ...testOptions,
      file: path.basename(file),
      readFile: (name) => readFileSync(path.join(path.dirname(file), name), 'utf8'),
    })
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return { code: error.code, status: error.status, findings: error.facts.findings }
  }
}

describe('a definition', () => {
  for (const name of readdirSync(cases)) {
    it(`is read or refused as recorded: ${name}`, async () => {
      const file = path.join(cases, name, 'in.yaml')
      const found = await outcome(existsSync(file) ? file : path.join(cases, name, 'in.json'))
      const plain = JSON.parse(JSON.stringify(found))
      assert.deepEqual(plain, JSON.parse(readFileSync(path.join(cases, name, 'out.json'), 'utf8')))
      assert.equal('findings' in plain, name.startsWith('refused-'))
    })
  }
})
