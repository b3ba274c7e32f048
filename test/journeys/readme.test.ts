/** The README's commands, run as they stand there, against a whole installation (only its ports differ). */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Installation, startInstallation } from './installation.ts'

let installation: Installation
let home: string
before(async () => {
  installation = await startInstallation()
  // A directory in which `.tenantry/quickstart.json` is the installation's.
  home = mkdtempSync(join(tmpdir(), 'tenantry-readme-'))
  mkdirSync(join(home, '.tenantry'))
  symlinkSync(join(installation.directory, 'quickstart.json'), join(home, '.tenantry', 'quickstart.json'))
  symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(home, 'node_modules'))
})
after(async () => {
  await installation?.stop()
  rmSync(home, { recursive: true, force: true })
})

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const blocks = [...readme.matchAll(/<!-- run -->\n```sh\n([\s\S]*?)```\n(?:```\n([\s\S]*?)```)?/g)]
const commands = blocks.map((match) => match[1]!)
/** What the README shows as the answer. */
const shown = blocks.map((match) => match[2])

function run(command: string): string {
  const { TENANTRY_HTTP_PORT, TENANTRY_HTTPS_PORT, TENANTRY_GATEWAY_PORT } = installation.environment
  const here = command
    .replaceAll('localhost:4443', `localhost:${TENANTRY_HTTPS_PORT}`)
    .replaceAll('localhost:4000', `localhost:${TENANTRY_HTTP_PORT}`)
    .replaceAll('localhost:8080', `localhost:${TENANTRY_GATEWAY_PORT}`)
  const { PATH = '' } = process.env
  const env = { PATH: `${dirname(process.execPath)}:${PATH}` }
  const { status, stdout, stderr } = spawnSync('bash', ['-ec', here], { cwd: home, env, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout
}

test('a call without a token gets Amazon’s refusal, as the README shows it', () => {
  assert.equal(run(commands[0]!).replaceAll('\r', ''), shown[0])
})

test('a machine gets a token and lists organizations with curl', () => {
  assert.deepEqual(JSON.parse(run(commands[1]!)), [])
})

test('a provisioning script made for Auth0 runs with another domain', () => {
  assert.equal(run(commands[2]!), shown[2])
})

test('users are imported with the hashes of their passwords', () => {
  assert.equal(run(commands[3]!), shown[3])
  assert.equal(commands.length, 4)
})
