/** `npm start`'s script is killed outright, so it passes no signal on: nothing that it has started may stay behind. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts } from './journeys/installation.ts'

const directory = mkdtempSync(join(tmpdir(), 'tenantry-killed-'))
chmodSync(directory, 0o711)
after(() => rmSync(directory, { recursive: true, force: true }))

interface Running {
  pid: number
  parent: number
  command: string
}

/** All processes, from /proc: a family is followed by its ids, since an orphan's parent is another one afterwards. */
function processes(): Running[] {
  const found: Running[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (state === 'Z') continue
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      found.push({ pid: Number(name), parent: Number(parent), command })
    } catch {
      // It ended in between.
    }
  }
  return found
}

function familyOf(pid: number): Running[] {
  const all = processes()
  const family = all.filter((one) => one.pid === pid)
  for (const member of family) family.push(...all.filter((one) => one.parent === member.pid))
  return family
}

test('after kill -9 of the script of npm start nothing runs on: not the server, PostgreSQL, the runner of Actions nor the sample', {
  skip: process.platform !== 'linux' && 'processes are listed from /proc',
}, async () => {
  const [httpPort, httpsPort, gatewayPort, controlPlanePort, appPort] = await freePorts()
  const { PATH = '', HOME = '' } = process.env
  const script = join(import.meta.dirname, '../scripts/start.mjs')
  const parent = spawn(process.execPath, [script, '--json'], {
    env: {
      PATH,
      HOME,
      TENANTRY_DATA: directory,
      TENANTRY_HTTP_PORT: String(httpPort),
      TENANTRY_HTTPS_PORT: String(httpsPort),
      TENANTRY_GATEWAY_PORT: String(gatewayPort),
      TENANTRY_CONTROL_PLANE_PORT: String(controlPlanePort),
      TENANTRY_APP_PORT: String(appPort),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise<void>((resolve, reject) => {
    // What the script sets up first says other lines.
    createInterface({ input: parent.stdout! }).on('line', (line) => line.startsWith('{') && resolve())
    parent.once('exit', (code) => reject(new Error(`npm start's script ended with code ${code}`)))
  })
  after(() => parent.kill('SIGKILL'))
  const family = familyOf(parent.pid!)
  for (const part of [
    /tenantry\.ts start/,
    /postgres -D/,
    /examples\/saas\/src\/main\.ts/,
    /actions\/runner\/main\.ts/,
  ]) {
    assert.ok(
      family.some(({ command }) => part.test(command)),
      `${part} was not running: ${family.map(({ command }) => command).join('\n')}`,
    )
  }
  parent.kill('SIGKILL')

  const left = () =>
    processes().filter(({ pid, command }) => family.some((one) => one.pid === pid && one.command === command))
  // Its own patience for a part that does not end is 8 seconds.
  // What stops a part may itself be there a moment longer.
  const inItsPlace = () => processes().filter(({ command }) => command.includes(directory))
  for (let waited = 0; waited < 120_000 && (left().length > 0 || inItsPlace().length > 0); waited += 100) {
    await delay(100)
  }
  assert.deepEqual(left(), [])
  assert.deepEqual(inItsPlace(), [], 'nothing was started in its place')
})
