import { readFileSync } from 'node:fs'
import path from 'node:path'
import { createDiscover } from '@tenantry/gateway/authorizers/discovery.ts'
import { createFetchJson, type FetchJson } from '@tenantry/gateway/authorizers/fetch-json.ts'
import { type LoadedDefinition, loadDefinition } from '@tenantry/gateway/definition/load.ts'
import { type Flags, namedValues } from './flags.ts'
import { problems } from './problems.ts'

/** Reads a definition of any format, as the options say. Files that it names lie beside it. */
export function readDefinitionFile(file: string, flags: Flags): Promise<LoadedDefinition> {
  const basePath = flags['base-path'] ?? 'ignore'
  if (basePath !== 'ignore' && basePath !== 'prepend' && basePath !== 'split') {
    throw problems.option_unknown({ facts: { option: 'base-path', known: 'ignore, prepend, split', value: basePath } })
  }
  return loadDefinition(readText(file), {
    id:
      path
        .basename(file)
        .split('.')[0]!
        .toLowerCase()
        .replaceAll(/[^a-z0-9-]/g, '') || 'api',
    file,
    basePath,
    parameters: namedValues(flags.parameter, 'parameter'),
    imports: namedValues(flags.import, 'import'),
    variables: namedValues(flags.variable, 'variable'),
    stageVariables: namedValues(flags['stage-variable'], 'stage-variable'),
    failOnWarnings: flags['fail-on-warnings'] === true,
    strict: flags.strict === true,
    discover: createDiscover(fetchJsonOf(flags)),
    readFile: (name) => readText(path.join(path.dirname(file), name)),
  })
}

/** How issuers are asked. */
export const fetchJsonOf = ({ ca }: Flags): FetchJson => createFetchJson(ca === undefined ? {} : { ca: readText(ca) })

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw problems.file_unreadable({ facts: { file, reason: (cause as Error).message }, cause })
  }
}
