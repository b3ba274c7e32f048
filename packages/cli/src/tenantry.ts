#!/usr/bin/env node
/** The executable: reads the process's settings and arguments, and starts. */
import { parseArgs } from 'node:util'
import { Problem } from '@tenantry/kernel/problem.ts'
import { definitions, readSettings } from './settings.ts'
import { start } from './start.ts'
import { bold, complain, dim, print } from './terminal.ts'

const USAGE = 2

async function main(): Promise<void> {
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

function help(): void {
  print(`${bold('tenantry')} - identity and tenancy for B2B SaaS, self-hosted`)
  print()
  print(`${bold('Usage')}  tenantry start [--json] [--log]`)
  print()
  print('  start    Run everything: issuer, Management API, Universal Login, gateway and the sample SaaS.')
  print('  --json   Print one line of JSON when ready, instead of the table.')
  print('  --log    Write the log to the terminal instead of the data directory.')
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
