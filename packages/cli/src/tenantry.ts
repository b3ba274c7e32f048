#!/usr/bin/env node
/** The executable: reads the process's settings and arguments, and starts. */
import { parseArgs } from 'node:util'
import { Problem } from '@tenantry/kernel/problem.ts'
import { definitionHelp, definitionVerbs, runDefinitionCommand } from './definitions/command.ts'
import { isolationCommand } from './isolation/command.ts'
import { proveIsolationCommand } from './prove-isolation/command.ts'
import { runCommand, runHelp } from './run/command.ts'
import { definitions, readSettings } from './settings.ts'
import { start } from './start.ts'
import { bold, complain, dim, print } from './terminal.ts'

const USAGE = 2

async function main(): Promise<void> {
  const [group, verb, ...args] = process.argv.slice(2)
  if (group === 'gateway') return gateway(verb, args)
  if (group === 'prove-isolation') {
    process.exitCode = await proveIsolationCommand(process.argv.slice(3), process.env)
    return
  }
  if (group === 'isolation') {
    process.exitCode = await isolationCommand(process.argv.slice(3), process.env)
    return
  }
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' }, json: { type: 'boolean' }, log: { type: 'boolean' } },
  })
  const command = positionals[0] ?? 'help'
  if (values.help || command === 'help') return help()
  if (command !== 'start') {
    complain(`unknown command ${command}. Try: tenantry help`)
    process.exitCode = USAGE
    return
  }
  await start(readSettings(process.env), { json: values.json === true, logToTerminal: values.log === true })
}

async function gateway(verb: string | undefined, args: string[]): Promise<void> {
  if (verb === undefined || verb === 'help' || args.includes('--help') || args.includes('-h')) {
    runHelp()
    print()
    return definitionHelp()
  }
  if (definitionVerbs.has(verb)) {
    process.exitCode = await runDefinitionCommand(verb, args)
    return
  }
  if (verb === 'run') return runCommand(args, readSettings(process.env).dataDirectory)
  complain(`unknown command gateway ${verb}. Try: tenantry gateway help`)
  process.exitCode = USAGE
}

function help(): void {
  print(`${bold('tenantry')} - identity and tenancy for B2B SaaS, self-hosted`)
  print()
  print(`${bold('Usage')}  tenantry start [--json] [--log]`)
  print('       tenantry gateway run <file> [options]')
  print('       tenantry prove-isolation --openapi <file|url> [options]')
  print('       tenantry isolation check|protect [options]')
  print()
  print('  start    Run everything: issuer, Management API, Universal Login, gateway and the sample SaaS.')
  print('  --json   Print one line of JSON when ready, instead of the table.')
  print('  --log    Write the log to the terminal instead of the data directory.')
  print()
  print(
    '  gateway run    Serve the APIs of a SAM, CloudFormation or OpenAPI file and run its functions: for development.',
  )
  print('  gateway validate, import, export    Check such a file, print what it defines, write it in another format.')
  print('  gateway explain    Say why a request to such APIs would be answered as it is.')
  print('                 tenantry gateway help tells their options.')
  print('  prove-isolation    Try any API as one tenant with what is another’s, and report each leak.')
  print('                 tenantry prove-isolation --help tells its options.')
  print(
    '  isolation check    Ask a database whether its tables, roles and grants keep tenants apart, and how to mend them.',
  )
  print('  isolation protect    Print the SQL by which existing tables keep tenants apart.')
  print('                 tenantry isolation --help tells their options.')
  print()
  print(bold('Settings'))
  for (const { variable, default: fallback, describe } of Object.values(definitions)) {
    print(`  ${variable.padEnd(30)} ${describe}${fallback === undefined ? '' : dim(` [${fallback}]`)}`)
  }
}

main().catch((error: unknown) => {
  if (error instanceof Problem) complain(error.message)
  else if ((error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')) {
    complain(`${(error as Error).message} Try: tenantry help`)
    process.exit(USAGE)
  } else complain(error instanceof Error ? (error.stack ?? error.message) : String(error))
  // What was started has been stopped; nothing that is left may keep the process waiting.
  process.exit(1)
})
