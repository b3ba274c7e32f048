/** A whole installation for black-box tests: `tenantry start` as a process of its own, on free ports, in a directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const executable = fileURLToPath(new URL('../../packages/cli/src/tenantry.ts', import.meta.url))

export interface Quickstart {
  issuer: string
  httpIssuer: string
  caFile: string
  managementAudience: string
  mailUrl: string
  appUrl: string
  gatewayUrl: string
  controlPlaneUrl: string
  controlPlane: { region: string; accessKeyId: string; secretAccessKey: string }
  apiAudience: string
  tenantClaim: string
  spaClient: { client_id: string }
  managementClient: { client_id: string; client_secret: string }
  connection: { id: string; name: string }
  roles: { admin: string; member: string }
}

export interface Mail {
  id: string
  to: string
  subject: string
  text: string
  html: string
  links: string[]
}

export interface Installation {
  quickstart: Quickstart
  directory: string
  process: ChildProcess
  environment: Record<string, string>
  /** The newest mail to an address, waited for. */
  mailTo(address: string): Promise<Mail>
  log(): string
  stop(): Promise<number | null>
}

export interface InstallationOptions {
  environment?: Record<string, string>
  directory?: string
}

export async function startInstallation(options: InstallationOptions = {}): Promise<Installation> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'tenantry-test-'))
  const [httpPort, httpsPort, gatewayPort, controlPlanePort, appPort] = await freePorts()
  const environment = {
    TENANTRY_DATA: directory,
    TENANTRY_HTTP_PORT: String(httpPort),
    TENANTRY_HTTPS_PORT: String(httpsPort),
    TENANTRY_GATEWAY_PORT: String(gatewayPort),
    TENANTRY_CONTROL_PLANE_PORT: String(controlPlanePort),
    TENANTRY_APP_PORT: String(appPort),
    ...options.environment,
  }
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, ['--no-node-snapshot', executable, 'start', '--json'], {
    env: { PATH, HOME, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let complaints = ''
  child.stderr!.on('data', (chunk: Buffer) => {
    complaints += chunk.toString()
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const log = () => readFileSync(join(directory, 'tenantry.log'), 'utf8')
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout! }).once('line', () => resolve())
    child.once('exit', (code) => reject(new Error(`tenantry ended with code ${code}: ${complaints}`)))
  })
  const quickstart = JSON.parse(readFileSync(join(directory, 'quickstart.json'), 'utf8')) as Quickstart
  return {
    quickstart,
    directory,
    environment,
    process: child,
    log,
    async mailTo(address) {
      for (let attempt = 0; attempt < 1_200; attempt++) {
        const mails = (await (
          await fetch(`${quickstart.mailUrl}.json?to=${encodeURIComponent(address)}`)
        ).json()) as Mail[]
        if (mails[0]) return mails[0]
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      throw new Error(`No mail to ${address} arrived.`)
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      const code = await ended
      if (!options.directory) rmSync(directory, { recursive: true, force: true })
      return code
    },
  }
}

/**
 * Three single ports, and one with four free ones after it for the sample's services. They are below those that systems give
 * to connections by themselves, and no other process that asks here is given any of them: the last of each ten is held.
 */
export async function freePorts(): Promise<[number, number, number, number, number]> {
  const free = (port: number) =>
    new Promise<number | undefined>((resolve) => {
      const server = createServer()
      server.once('error', () => resolve(undefined))
      server.listen(port, '127.0.0.1', () => {
        const { port: given } = server.address() as { port: number }
        server.close(() => resolve(given))
      })
    })
  for (;;) {
    const start = 20_000 + 10 * Math.floor(Math.random() * 1_200)
    if (!(await hold(start + 9))) continue
    const ports = await Promise.all(Array.from({ length: 9 }, (_, index) => free(start + index)))
    if (ports.every((port) => port !== undefined)) return [start, start + 1, start + 2, start + 3, start + 4]
  }
}

/** Until this process ends. @returns whether it could be had */
function hold(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().unref()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => resolve(true))
  })
}
