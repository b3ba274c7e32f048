/**
 * The commands of a document, run as they stand there, in order and in one shell, against a whole installation (only its
 * ports differ). A command is what follows `<!-- run -->`; the block after it is what it prints.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts, type Installation } from './installation.ts'

export const root = fileURLToPath(new URL('../../', import.meta.url))
const MARK = '====== next command ======'

export interface Command {
  command: string
  /** What the document says it prints; undefined where it shows nothing. */
  shown: string | undefined
}

export const readDocument = (path: string): string => readFileSync(join(root, path), 'utf8')

export const commandsOf = (document: string): Command[] =>
  [...document.matchAll(/<!-- run -->\n```sh\n([\s\S]*?)```\n(?:```\n([\s\S]*?)```)?/g)].map((match) => ({
    command: match[1]!,
    shown: match[2],
  }))

export interface Desk {
  /** @returns what each of the commands prints */
  run(commands: readonly string[]): string[]
  clear(): void
}

/**
 * A directory in which `.tenantry/quickstart.json` is the installation's, as in a checkout in which it was started.
 * @param variables what a document takes for granted in the environment
 */
export async function openDesk(installation: Installation, variables: Record<string, string> = {}): Promise<Desk> {
  const home = mkdtempSync(join(tmpdir(), 'tenantry-documents-'))
  mkdirSync(join(home, '.tenantry'))
  symlinkSync(join(installation.directory, 'quickstart.json'), join(home, '.tenantry', 'quickstart.json'))
  for (const name of ['node_modules', 'examples']) symlinkSync(join(root, name), join(home, name))
  const { TENANTRY_HTTP_PORT, TENANTRY_HTTPS_PORT, TENANTRY_GATEWAY_PORT } = installation.environment
  const [gateway, api, shop] = await freePorts()
  // What guides start by themselves, each at its own port: one that is ending may still answer when the next begins.
  const own = { 8090: gateway, 8091: api, 8092: shop }
  const ports = { 4443: TENANTRY_HTTPS_PORT, 4000: TENANTRY_HTTP_PORT, 8080: TENANTRY_GATEWAY_PORT, ...own }
  return {
    run(commands) {
      let script = commands.join(`\necho '${MARK}'\n`)
      for (const [documented, real] of Object.entries(ports)) {
        script = script.replaceAll(`localhost:${documented}`, `localhost:${real}`)
        script = script.replaceAll(`--port ${documented}`, `--port ${real}`)
      }
      const { PATH = '' } = process.env
      const env = { ...variables, PATH: `${dirname(process.execPath)}:${PATH}` }
      const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-eo', 'pipefail', '-c', script], {
        cwd: home,
        env,
        encoding: 'utf8',
      })
      assert.equal(status, 0, `${stdout}\n${stderr}`)
      let printed = stdout.replaceAll('\r', '')
      for (const [documented, real] of Object.entries(ports)) {
        printed = printed.replaceAll(`localhost:${real}`, `localhost:${documented}`)
        printed = printed.replaceAll(`localhost%3A${real}`, `localhost%3A${documented}`)
      }
      return printed.split(`${MARK}\n`)
    },
    clear: () => rmSync(home, { recursive: true, force: true }),
  }
}
