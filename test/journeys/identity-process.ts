/**
 * An identity server as a process of its own: a crash is then seen as one, and two of them share nothing but the database.
 * Run as a program it is that server; imported, it starts one.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { startBackground } from '@tenantry/identity/background.ts'
import { movableClock, startIdentity } from '@tenantry/identity/testing.ts'
import { systemClock } from '@tenantry/kernel/clock.ts'
import type { DatabaseUrls } from '@tenantry/kernel/database/database.ts'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'

export interface IdentityProcess {
  port: number
  process: ChildProcess
  /** What it wrote to its standard error: the stack of what ended it. */
  complaints(): string
  /** @returns the exit code */
  stop(): Promise<number | null>
}

const executable = fileURLToPath(import.meta.url)

export async function startIdentityProcess(urls: DatabaseUrls): Promise<IdentityProcess> {
  const { PATH = '', HOME = '' } = process.env
  const child = fork(executable, [JSON.stringify(urls)], {
    execArgv: ['--no-node-snapshot'],
    env: { PATH, HOME },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let complaints = ''
  child.stderr!.on('data', (chunk: Buffer) => {
    complaints += chunk.toString()
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve((message as { port: number }).port))
    void ended.then((code) => reject(new Error(`the identity server ended with code ${code}: ${complaints}`)))
  })
  return {
    port,
    process: child,
    complaints: () => complaints,
    stop: () => {
      if (child.connected) child.send('stop')
      return ended
    },
  }
}

async function serve(urls: DatabaseUrls): Promise<void> {
  const identity = await startIdentity({ urls, poolSize: 6, clock: movableClock() })
  const { database, secrets } = identity
  const logger = createLogger({ destination: { write: () => {} } })
  const mail = { kind: 'mailbox' as const }
  const background = await startBackground({
    ownerUrl: urls.owner,
    database,
    secrets,
    clock: systemClock,
    logger,
    mail,
    egress: createEgress(),
  })
  const stop = async () => {
    await background.stop()
    await identity.close()
    process.exit(0)
  }
  process.once('message', stop)
  process.once('disconnect', () => process.exit(1))
  process.send!({ port: identity.port })
}

if (process.argv[1] === executable) await serve(JSON.parse(process.argv[2]!) as DatabaseUrls)
