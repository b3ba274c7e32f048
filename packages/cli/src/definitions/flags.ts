import { parseArgs } from 'node:util'
import { problems } from './problems.ts'

const options = {
  json: { type: 'boolean' },
  ca: { type: 'string' },
  'base-path': { type: 'string' },
  parameter: { type: 'string', multiple: true },
  import: { type: 'string', multiple: true },
  variable: { type: 'string', multiple: true },
  'stage-variable': { type: 'string', multiple: true },
  'fail-on-warnings': { type: 'boolean' },
  strict: { type: 'boolean' },
  to: { type: 'string' },
  format: { type: 'string' },
  'without-extensions': { type: 'boolean' },
  api: { type: 'string' },
  stage: { type: 'string' },
  exclude: { type: 'string', multiple: true },
  bind: { type: 'string' },
  out: { type: 'string' },
  method: { type: 'string' },
  url: { type: 'string' },
  header: { type: 'string', multiple: true },
  token: { type: 'string' },
  'token-file': { type: 'string' },
} as const

export type Flags = ReturnType<typeof parseFlags>['values']

/** @throws Error with a code `ERR_PARSE_ARGS_…` for options that are not known */
export const parseFlags = (args: readonly string[]) => parseArgs({ args: [...args], options, allowPositionals: true })

/** `name=value` of a repeated option. */
export function namedValues(pairs: readonly string[] | undefined, option: string): Readonly<Record<string, string>> {
  const entries = (pairs ?? []).map((pair) => {
    const at = pair.indexOf('=')
    if (at < 1) throw problems.option_malformed({ facts: { option, pair } })
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
  return Object.fromEntries(entries)
}
