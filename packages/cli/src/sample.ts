/**
 * The sample SaaS runs as a process of its own: it uses only what a customer can, and it must not share our memory. It
 * says on its standard output where its services are, and ends when we do.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { DatabaseUrls } from '@tenantry/kernel/database/database.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { definitions, type Settings } from './settings.ts'

export const problems = defineProblems({
  sample_failed: { status: 500, title: 'The sample SaaS did not start: {reason} Its log is in {logFile}.' },
})

const main = fileURLToPath(new URL('../../../examples/saas/src/main.ts', import.meta.url))

export interface Sample {
  /** Base addresses by service, the gateway's stage variables. */
  services: Record<string, string>
  close(): Promise<void>
}

export async function startSample(
  settings: Settings,
  given: { quickstartFile: string; database: { urls: DatabaseUrls }; caFile: string; logFile: string },
): Promise<Sample> {
  const { urls } = given.database
  const child = spawn(process.execPath, [main], {
    stdio: ['ignore', 'pipe', openSync(given.logFile, 'a'), 'ipc'],
    env: {
      PATH: process.env.PATH,
      NODE_ENV: process.env.NODE_ENV,
      NODE_EXTRA_CA_CERTS: given.caFile,
      TENANTRY_QUICKSTART: given.quickstartFile,
      STOCKROOM_DATABASE_URL: urls.owner,
      STOCKROOM_DATABASE_APPLICATION_URL: urls.application,
      STOCKROOM_ONE_TENANT_PER_USER: String(settings.oneTenantOnly),
      STOCKROOM_APP_PORT: String(settings.appPort),
      STOCKROOM_HOST: settings.host,
    },
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  try {
    return { services: await readiness(child), close: () => end(child, ended) }
  } catch (error) {
    await end(child, ended)
    const reason = `${(error as Error).message} Its ports are those from ${definitions.appPort.variable} on.`
    throw problems.sample_failed({ facts: { reason, logFile: given.logFile }, cause: error })
  }
}

/** Its first line of JSON: `{"ready":true,"services":{…}}`, or `{"ready":false,"error":"…"}`. */
function readiness(child: ChildProcess): Promise<Record<string, string>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('It was not ready within 30 seconds.')), 30_000)
    child.once('exit', (code) => reject(new Error(`It ended with code ${code}.`)))
    child.once('error', reject)
    createInterface({ input: child.stdout! }).once('line', (line) => {
      clearTimeout(timer)
      try {
        const said = JSON.parse(line) as { ready: boolean; services?: Record<string, string>; error?: string }
        if (said.ready && said.services) resolve(said.services)
        else reject(new Error(said.error ?? 'It gave no reason.'))
      } catch (cause) {
        reject(new Error('It said something that is not JSON.', { cause }))
      }
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
