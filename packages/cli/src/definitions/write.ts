import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Api, limits } from '@tenantry/gateway/api.ts'
import { createDiscover, discoveryUrlOf } from '@tenantry/gateway/authorizers/discovery.ts'
import { writeTemplate } from '@tenantry/gateway/definition/export/cloudformation.ts'
import { exportHaproxy, pemsOf } from '@tenantry/gateway/definition/export/haproxy/haproxy.ts'
import { writeOpenApi } from '@tenantry/gateway/definition/export/openapi.ts'
import type { LoadedDefinition } from '@tenantry/gateway/definition/load.ts'
import { complain, print } from '../terminal.ts'
import type { Flags } from './flags.ts'
import { problems } from './problems.ts'
import { fetchJsonOf } from './read.ts'

export const formats = ['openapi', 'cloudformation', 'haproxy'] as const

/** Writes what was read in the format of `--to`. Returns the exit code. */
export async function writeExport({ apis }: LoadedDefinition, flags: Flags): Promise<number> {
  const to = oneOf('to', flags.to, formats)
  const format = oneOf('format', flags.format ?? 'yaml', ['yaml', 'json'] as const)
  if (to === 'haproxy') return writeHaproxy(oneApi(apis, flags), flags)
  const { document, lost } =
    to === 'openapi'
      ? writeOpenApi(oneApi(apis, flags), { format, extensions: flags['without-extensions'] !== true })
      : writeTemplate(chosen(apis, flags), format)
  for (const loss of lost) complain(`warning: ${loss}`)
  if (flags.out === undefined) process.stdout.write(document)
  else write(flags.out, () => writeFileSync(flags.out!, document))
  return 0
}

async function writeHaproxy(api: Api, flags: Flags): Promise<number> {
  if (flags.out === undefined) throw problems.out_missing()
  const directory = path.resolve(flags.out)
  const { config, files, report } = exportHaproxy(api, {
    directory,
    keys: await keysOf(api, flags),
    exclude: flags.exclude ?? [],
    ...(flags.bind === undefined ? {} : { bind: flags.bind }),
  })
  write(flags.out, () => {
    mkdirSync(directory, { recursive: true })
    for (const [name, text] of Object.entries({ ...files, 'haproxy.cfg': config })) {
      writeFileSync(path.join(directory, name), text)
    }
  })
  if (flags.json === true) print(JSON.stringify({ directory, report }, null, 2))
  else
    for (const row of report)
      print(`${row.class.padEnd(12)} ${row.where}: ${row.feature}${row.says === '' ? '' : ` - ${row.says}`}`)
  return 0
}

/** @throws Problem `file_unwritable` */
function write(file: string, writing: () => void): void {
  try {
    writing()
  } catch (cause) {
    throw problems.file_unwritable({ facts: { file, reason: (cause as Error).message }, cause })
  }
}

/** The keys of all issuers, as they are now. */
async function keysOf(api: Api, flags: Flags): Promise<Readonly<Record<string, Readonly<Record<string, string>>>>> {
  const fetchJson = fetchJsonOf(flags)
  const discover = createDiscover(fetchJson)
  const keys: Record<string, Readonly<Record<string, string>>> = {}
  for (const [name, authorizer] of Object.entries(api.authorizers)) {
    if (authorizer.type !== 'JWT') continue
    const { jwksUri } = await discover(discoveryUrlOf(authorizer.issuer))
    keys[name] = pemsOf(await fetchJson(jwksUri, { timeoutMs: limits.keySetTimeoutMs, maxBytes: limits.keySetBytes }))
  }
  return keys
}

const chosen = (apis: readonly Api[], { api, stage }: Flags): readonly Api[] =>
  apis.filter(({ id, stage: { name } }) => (api ?? id) === id && (stage ?? name) === name)

function oneApi(apis: readonly Api[], flags: Flags): Api {
  const [only, ...others] = chosen(apis, flags)
  if (only !== undefined && others.length === 0) return only
  const all = apis.map(({ id, stage }) => `${id} (${stage.name})`)
  throw problems.api_ambiguous({ facts: { found: all.length === 0 ? 'no API' : all.join(', ') } })
}

function oneOf<T extends string>(option: string, value: string | undefined, known: readonly T[]): T {
  const found = known.find((item) => item === value)
  if (found !== undefined) return found
  throw problems.option_unknown({ facts: { option, known: known.join(', '), value: value ?? '' } })
}
