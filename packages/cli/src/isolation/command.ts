/** `tenantry isolation`: asks a database whether it keeps tenants apart, and says how to make tables do so. */
import { Problem } from '@tenantry/kernel/problem.ts'
import { inspectIsolation, type ProtectOptions, protectSql } from '@tenantry/tenancy'
import { postgres } from '@tenantry/tenancy/driver'
import { accent, bold, complain, dim, print } from '../terminal.ts'
import {
  checkFlags,
  databaseUrl,
  inspectionOptions,
  problems,
  protectFlags,
  protectOptions,
  readCheckFlags,
  readProtectFlags,
} from './options.ts'
import { reportLines } from './report.ts'

const FOUND = 1
const COULD_NOT_RUN = 2

/** @returns the exit code: 0 when nothing was found, 1 for findings, 2 when it could not be run */
export async function isolationCommand(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [verb, ...rest] = args
  if (verb === undefined || verb === 'help' || rest.includes('--help') || /^(-h|--help)$/.test(verb)) {
    help()
    return 0
  }
  try {
    if (verb === 'check') return await check(rest, env)
    if (verb === 'protect') {
      const options = protectOptions(readProtectFlags(rest))
      process.stdout.write(sqlOf(options))
      return 0
    }
    throw problems.bad_argument({ facts: { reason: `There is no tenantry isolation ${verb}.` } })
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    if (rest.includes('--json')) print(JSON.stringify({ error: error.code, message: error.message }, null, 2))
    else complain(error.message)
    return COULD_NOT_RUN
  }
}

function sqlOf(options: ProtectOptions): string {
  try {
    return protectSql(options)
  } catch (cause) {
    throw problems.bad_argument({ facts: { reason: (cause as Error).message }, cause })
  }
}

async function check(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const flags = readCheckFlags(args)
  const sql = postgres(databaseUrl(flags.database, env), { max: 1, connect_timeout: 10, onnotice: () => {} })
  try {
    const findings = await inspectIsolation(sql, inspectionOptions(flags)).catch((cause: Error) => {
      // Whatever has no code is no answer of the database or the network, but a fault of ours.
      if (!('code' in cause)) throw cause
      throw problems.database_unusable({ facts: { reason: cause.message }, cause })
    })
    if (flags.json) print(JSON.stringify({ findings }, null, 2))
    else for (const line of reportLines(findings, { bold, dim, accent })) print(line)
    return findings.length > 0 ? FOUND : 0
  } finally {
    await sql.end({ timeout: 2 })
  }
}

function help(): void {
  print(`${bold('Usage')}  tenantry isolation check [--database <url>] [--role <name>]`)
  print('       tenantry isolation protect --table <name> --role <name>')
  print()
  print(
    '  check asks PostgreSQL’s catalog for everything by which tenants could reach each other’s rows, and prints what',
  )
  print('  mends it. It changes nothing. Exit codes: 0 nothing was found, 1 findings, 2 it could not be run.')
  list(checkFlags)
  print('  protect prints the SQL by which tables keep tenants apart, to be run as their owner, again at will.')
  list(protectFlags)
}

function list(flags: typeof checkFlags | typeof protectFlags): void {
  print()
  for (const [name, flag] of Object.entries(flags)) {
    const usage = `--${name}${'of' in flag ? ` <${flag.of}>` : ''}`
    const preset = 'default' in flag && flag.default !== false ? dim(` [${flag.default}]`) : ''
    print(`  ${usage.padEnd(28)} ${flag.describe}${preset}`)
  }
  print()
}
