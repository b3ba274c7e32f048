/** `tenantry prove-isolation`: tries an API as one tenant with what is another's. */
import { writeFileSync } from 'node:fs'
import { Problem } from '@tenantry/kernel/problem.ts'
import { type Progress, type Proof, ProofRefused, proveIsolation, toJunit } from '@tenantry/tenancy/proof'
import { accent, bold, complain, dim, print } from '../terminal.ts'
import { flags, problems, proofOptions, readFlags } from './options.ts'
import { kindRows, reportLines } from './report.ts'

const LEAKS = 1
const COULD_NOT_RUN = 2

/** @returns the exit code: 0 when no leak was found, 1 for leaks, 2 when it could not be run */
export async function proveIsolationCommand(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const given = readFlags(args)
  if (given.help) {
    help()
    return 0
  }
  try {
    const options = await proofOptions(given, env)
    if (!given.json)
      print(dim(`Proving isolation at ${options.baseUrl}. It makes, changes and deletes things as both tenants.\n`))
    const proof = await proveIsolation({ ...options, onProgress: progressLine() })
    clearLine()
    if (given.junit !== undefined) save(given.junit, toJunit(proof))
    if (given.json) print(JSON.stringify(proof, null, 2))
    else for (const line of reportLines(proof, { bold, dim, accent })) print(line)
    return exitCode(proof, given.strict)
  } catch (error) {
    clearLine()
    if (!(error instanceof ProofRefused || error instanceof Problem)) throw error
    if (given.json) print(JSON.stringify({ error: error.code, message: error.message }, null, 2))
    else complain(error.message)
    return COULD_NOT_RUN
  }
}

/** Why a route was not tested that somebody wanted it so. */
const WANTED = /on purpose|left out by the hints|not asked for/

function exitCode({ findings, routes, cutShort }: Proof, strict: boolean): number {
  const missing = routes.some(({ tested, reason = '' }) => !tested && !WANTED.test(reason))
  return findings.length > 0 || (strict && (cutShort || missing)) ? LEAKS : 0
}

function save(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (cause) {
    throw problems.bad_argument({
      facts: { reason: `--junit ${file} cannot be written: ${(cause as Error).message}.` },
      cause,
    })
  }
}

const onTerminal = process.stderr.isTTY === true

/** One line that is written over, on the standard error: what goes to a file or a pipe stays clean. */
function progressLine(): (progress: Progress) => void {
  return ({ phase, done, route, requests, leaks }) => {
    if (!onTerminal) return
    const share = phase === 'attacking' ? ` ${Math.floor(done * 100)} %` : ''
    const text = `${phase}${share}  ${requests} requests, ${leaks} leaks  ${route}`
    process.stderr.write(`\r\u001b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`)
  }
}

const clearLine = (): void => {
  if (onTerminal) process.stderr.write('\r\u001b[K')
}

function help(): void {
  print(
    `${bold('Usage')}  tenantry prove-isolation --openapi <file|url> --base-url <url> --token-a @a.token --token-b @b.token`,
  )
  print()
  print(
    '  Learns as two tenants what each has, by the routes of an OpenAPI document, and then tries every route as A with',
  )
  print('  what is B’s. It makes, changes and deletes things as both: use tenants that can be thrown away.')
  print('  Exit codes: 0 no leak was found, 1 leaks, 2 it could not be run.')
  print()
  for (const [name, flag] of Object.entries(flags)) {
    const usage = `--${name}${'of' in flag ? ` <${flag.of}>` : ''}`
    const preset = 'default' in flag && flag.default !== false ? dim(` [${flag.default}]`) : ''
    print(`  ${usage.padEnd(34)} ${flag.describe}${preset}`)
  }
  print()
  print(bold('What is tried'))
  for (const [kind, title] of kindRows()) print(`  ${kind.padEnd(18)} ${title}`)
}
