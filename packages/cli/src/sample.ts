/**
 * The sample SaaS runs as a process of its own: it uses only what a customer can, and it must not share our memory. It
 * says on its standard output where its services are, and ends when we do.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseAddress } from '@tenantry/kernel/database/address.ts'
import type { DatabaseUrls } from '@tenantry/kernel/database/database.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { definitions, type Settings } from './settings.ts'

export const problems = defineProblems({
  sample_failed: { status: 500, title: 'The sample SaaS did not start: {reason} Its log is in {logFile}.' },
})

/** In the order of their ports, after the web app's. */
const SERVICES = ['registration', 'tenants', 'users', 'items'] as const

const main = fileURLToPath(new URL('../../../examples/saas/src/main.ts', import.meta.url))

export interface Sample {
  /** Host and port by service: the gateway's stage variables. */
  services: Record<string, string>
  /** Lets it begin, once the database is open and quickstart.json is written. @throws Problem `sample_failed` */
  begin(urls: DatabaseUrls): Promise<void>
  close(): Promise<void>
}

/** Starts the process early: it loads its modules while the platform starts, and then waits for the word. */
export function spawnSample(
  settings: Settings,
  given: { quickstartFile: string; caFile: string; logFile: string; siloSecretFile: string },
): Sample {
  const ports = Object.fromEntries(['web', ...SERVICES].map((name, index) => [name, settings.appPort + index]))
  const log = openSync(given.logFile, 'a')
  const child = spawn(process.execPath, [main], {
    stdio: ['ignore', 'pipe', log, 'ipc'],
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      NODE_EXTRA_CA_CERTS: given.caFile,
      STOCKROOM_QUICKSTART: given.quickstartFile,
      STOCKROOM_PORTS: JSON.stringify(ports),
      STOCKROOM_SETTINGS: JSON.stringify({ usersBelongToOneTenant: settings.oneTenantOnly }),
    },
  })
  closeSync(log)
  // Not `exit`: a process that could not be started has none.
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    services: Object.fromEntries(SERVICES.map((name) => [name, `127.0.0.1:${ports[name]}`])),
    close: () => end(child, ended),
    async begin(urls) {
      try {
        const ready = readiness(child)
        // A child that has ended already cannot be told; `readiness` says so.
        const { application, owner, provisioner } = urls
        const database = {
          application: driverOptions(application),
          owner: driverOptions(owner),
          ...(provisioner
            ? { administrator: driverOptions(provisioner), siloSecret: keepSecret(given.siloSecretFile) }
            : {}),
        }
        if (child.connected) child.send({ database })
        await ready
      } catch (error) {
        await end(child, ended)
        const reason = `${(error as Error).message} Its ports are those from ${definitions.appPort.variable} on.`
        throw problems.sample_failed({ facts: { reason, logFile: given.logFile }, cause: error })
      }
    },
  }
}

/** From which the sample makes the passwords of tenants' own databases: lost, those databases could not be opened. */
function keepSecret(file: string): string {
  if (!existsSync(file)) {
    writeFileSync(`${file}.new`, randomBytes(32).toString('base64url'), { mode: 0o600, flush: true })
    renameSync(`${file}.new`, file)
  }
  return readFileSync(file, 'utf8')
}

/** A Unix socket cannot be said in a URL that every driver reads alike, so the sample gets its parts. */
function driverOptions(text: string): object | string {
  const { url, host, port } = parseAddress(text)
  if (host === undefined) return text
  const { username, password, pathname } = new URL(url)
  return {
    host,
    port,
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
  }
}

/** It says one line when it is ready. */
function readiness(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('It was not ready within 30 seconds.')), 30_000)
    const gone = (code: number | null) => reject(new Error(`It ended with code ${code}.`))
    if (child.exitCode !== null) gone(child.exitCode)
    child.once('exit', gone)
    child.once('error', reject)
    createInterface({ input: child.stdout! }).once('line', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
  await ended
  clearTimeout(timer)
}
