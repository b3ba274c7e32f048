/** What the commands are told, read and checked into what the kit takes. */
import { parseArgs } from 'node:util'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { InspectionOptions, ProtectOptions, TableToProtect } from '@tenantry/tenancy'
import { namedValues } from '../definitions/flags.ts'

export const problems = defineProblems({
  bad_argument: { status: 400, title: '{reason} Try: tenantry isolation --help' },
  database_unusable: { status: 400, title: 'The database cannot be asked: {reason}.' },
})

const shared = {
  'tenant-column': {
    type: 'string',
    of: 'name',
    default: 'tenant_id',
    describe: 'The column that says whose a row is.',
  },
  setting: {
    type: 'string',
    of: 'name',
    default: 'app.tenant_id',
    describe: 'The setting of the transaction that policies compare it with.',
  },
  help: { type: 'boolean', short: 'h', default: false, describe: 'Say this.' },
} as const

export const checkFlags = {
  database: {
    type: 'string',
    of: 'url|env:NAME',
    default: 'env:DATABASE_URL',
    describe: 'The database; a variable keeps its password off the command line.',
  },
  role: {
    type: 'string',
    of: 'name',
    describe: 'The role that serves requests; the connected one if it is left out.',
  },
  schema: {
    type: 'string',
    multiple: true,
    of: 'name',
    describe: 'Look into this schema alone; every one that the role may use otherwise. May be repeated.',
  },
  accept: {
    type: 'string',
    multiple: true,
    of: 'object',
    describe: 'This one is so on purpose, named as the report names it. May be repeated.',
  },
  json: { type: 'boolean', default: false, describe: 'Print the findings as JSON.' },
  ...shared,
} as const

export const protectFlags = {
  table: {
    type: 'string',
    multiple: true,
    of: 'name',
    describe: 'A table to protect. Repeat it for those that refer to each other.',
  },
  role: { type: 'string', of: 'name', describe: 'The role that serves requests.' },
  schema: { type: 'string', of: 'name', default: 'public', describe: 'Where the tables are.' },
  type: { type: 'string', of: 'type', default: 'text', describe: 'The type of the tenant column, such as uuid.' },
  'add-column': { type: 'boolean', default: false, describe: 'Add the tenant column where it is missing.' },
  tenant: { type: 'string', of: 'id', describe: 'Whose the rows are that do not say it.' },
  backfill: {
    type: 'string',
    multiple: true,
    of: 'table=query',
    describe:
      'Or a query that tells it for each row of a table: "select c.tenant_id from customers c where c.id = orders.customer_id".',
  },
  'keep-keys': { type: 'boolean', default: false, describe: 'Leave unique keys and foreign keys as they are.' },
  ...shared,
} as const

/** @throws Error with a code `ERR_PARSE_ARGS_…` for options that are not known */
export const readCheckFlags = (args: readonly string[]) => parseArgs({ args: [...args], options: checkFlags }).values
/** @throws Error with a code `ERR_PARSE_ARGS_…` for options that are not known */
export const readProtectFlags = (args: readonly string[]) =>
  parseArgs({ args: [...args], options: protectFlags }).values

const bad = (reason: string) => problems.bad_argument({ facts: { reason } })

/** @throws Problem naming the variable that is empty, or the URL as none; without the URL, which holds a password */
export function databaseUrl(given: string, env: NodeJS.ProcessEnv): string {
  const variable = given.startsWith('env:') ? given.slice(4) : undefined
  const url = variable === undefined ? given : (env[variable] ?? '')
  if (url === '') throw bad(`Name the database with --database, or in the variable ${variable}.`)
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url))
    throw bad('The database is named by a URL, as in postgres://user:password@host:5432/database.')
  return url
}

export function inspectionOptions(flags: ReturnType<typeof readCheckFlags>): InspectionOptions {
  return {
    tenantColumn: flags['tenant-column'],
    setting: flags.setting,
    ...(flags.schema ? { schemas: flags.schema } : {}),
    ...(flags.role ? { role: flags.role } : {}),
    ...(flags.accept ? { accepted: flags.accept } : {}),
  }
}

/** @throws Problem that says which option is missing or wrong */
export function protectOptions(flags: ReturnType<typeof readProtectFlags>): ProtectOptions {
  if (!flags.table) throw bad('Name the tables with --table.')
  if (!flags.role) throw bad('Name the role that serves requests with --role.')
  const queries = namedValues(flags.backfill, 'backfill')
  const unknown = Object.keys(queries).find((name) => !flags.table!.includes(name))
  if (unknown !== undefined) throw bad(`--backfill ${unknown} is about a table that is not among --table.`)
  const { tenant } = flags
  const tables = flags.table.map((name): TableToProtect => {
    const query = Object.hasOwn(queries, name) ? queries[name] : undefined
    if (query !== undefined) return { name, backfill: { query } }
    return tenant === undefined ? { name } : { name, backfill: { tenant } }
  })
  return {
    tables,
    role: flags.role,
    schema: flags.schema,
    tenantColumn: flags['tenant-column'],
    setting: flags.setting,
    type: flags.type,
    addColumn: flags['add-column'],
    keys: !flags['keep-keys'],
  }
}
