import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { planLaunch, requireSafeEngine } from './launch.ts'

test('N186 an engine with a known escape is refused', () => {
  for (const version of ['7.0.0', '6.9.9', '6.2.0', '5.0.4', '7.0.1-beta.1', '', 'latest']) {
    assert.throws(() => requireSafeEngine(version), { code: 'engine_vulnerable' }, version)
  }
  for (const version of ['7.0.1', '7.1.0', '8.0.0', '10.0.0']) requireSafeEngine(version)
})

const attempts: Record<string, string> = {
  'read a file': `require('node:fs').readFileSync('/etc/passwd')`,
  'read the server': `require('node:fs').readFileSync(${JSON.stringify(new URL('./runner.ts', import.meta.url).pathname)})`,
  'write a file': `require('node:fs').writeFileSync('/tmp/tenantry-must-not-exist', '')`,
  'start a process': `require('node:child_process').spawnSync('true')`,
  'start a worker': `new (require('node:worker_threads').Worker)('', { eval: true })`,
}

for (const [name, code] of Object.entries(attempts)) {
  test(`N187 the permissions of a runner process do not let it ${name}`, () => {
    const { command, args } = planLaunch()
    const { status, stderr } = spawnSync(command, [...args.slice(0, -1), '-e', code], {
      env: {},
      cwd: '/',
      encoding: 'utf8',
    })
    assert.equal(status, 1)
    assert.match(stderr, /ERR_ACCESS_DENIED/)
  })
}

test('N187 a runner process makes no code from strings', () => {
  const { command, args } = planLaunch()
  const { stderr } = spawnSync(command, [...args.slice(0, -1), '-e', `new Function('return 1')()`], {
    env: {},
    encoding: 'utf8',
  })
  assert.match(stderr, /EvalError: Code generation from strings disallowed/)
})
