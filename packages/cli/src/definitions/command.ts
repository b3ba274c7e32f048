/** `tenantry gateway`: definitions of APIs on the command line, without a running gateway. */
import type { Finding } from '@tenantry/gateway/definition/report.ts'
import { sayFinding } from '@tenantry/gateway/definition/report.ts'
import { Problem } from '@tenantry/kernel/problem.ts'
import { bold, complain, dim, print } from '../terminal.ts'
import { explainRequest } from './explain.ts'
import { parseFlags } from './flags.ts'
import { readDefinitionFile } from './read.ts'
import { formats, writeExport } from './write.ts'

const usage = 2

export const definitionVerbs: ReadonlySet<string> = new Set(['import', 'export', 'validate', 'explain'])

/**
 * @returns the exit code: 0, 1 for a definition that is refused, 2 for a command that is not understood, 3 for a request
 * that the gateway would answer itself
 */
export async function runDefinitionCommand(command: string, args: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(args)
  const [file, ...others] = positionals
  if (file === undefined || others.length > 0) {
    complain(`tenantry gateway ${command} wants one file. Try: tenantry gateway help`)
    return usage
  }
  try {
    const read = await readDefinitionFile(file, values)
    const { apis, functions, info, warnings } = read
    if (command === 'explain') return await explainRequest(read, values)
    if (command === 'export') {
      // What is exported may go to the standard output: everything else is told beside it.
      for (const warning of warnings) complain(`warning: ${sayFinding(warning)}`)
      return await writeExport(read, values)
    }
    if (values.json === true || command === 'import') {
      print(
        JSON.stringify(
          command === 'import' ? { apis, functions, info, warnings } : { valid: true, info, warnings },
          null,
          2,
        ),
      )
      return 0
    }
    for (const note of info) print(dim(`note: ${sayFinding(note)}`))
    for (const warning of warnings) print(`warning: ${sayFinding(warning)}`)
    const routes = apis.map(({ id, stage, routes: all }) => `${id} (${stage.name}): ${all.length} routes`)
    print(`${file} is valid. ${routes.join(', ')}`)
    return 0
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    tellRefusal(error, values.json === true)
    return 1
  }
}

function tellRefusal(error: Problem, asJson: boolean): void {
  const { findings, report } = error.facts as { findings?: readonly Finding[]; report?: unknown }
  if (asJson)
    print(JSON.stringify({ valid: false, error: error.code, message: error.message, findings, report }, null, 2))
  else if (findings === undefined) complain(error.message)
  else for (const finding of findings) complain(sayFinding(finding))
}

export function definitionHelp(): void {
  print(`${bold('Usage')}  tenantry gateway validate <file>   say what is wrong, by file and line`)
  print('       tenantry gateway import <file>     print the APIs and functions that it defines, as JSON')
  print('       tenantry gateway explain <file>    say why a request would be answered as it is, check by check')
  print(`       tenantry gateway export <file> --to ${formats.join('|')}`)
  print()
  print(bold('Reading'))
  print('  --parameter name=value        A parameter of a template.')
  print('  --import name=value           What another stack exports.')
  print('  --variable name=value         AWS::Region and the like, or what a resource gives that is not created here.')
  print('  --stage-variable name=value   A stage variable of an OpenAPI document.')
  print('  --base-path ignore|prepend|split  What becomes of the path in servers.')
  print('  --ca file                     Certificate authorities (PEM) to trust when issuers are asked.')
  print('  --fail-on-warnings, --strict  Refuse warnings; refuse what goes beyond AWS.')
  print()
  print(bold('Writing'))
  print('  --format yaml|json            Of OpenAPI documents and templates.')
  print('  --without-extensions          An OpenAPI document for callers.')
  print('  --api id, --stage name        Which one, when there are several.')
  print('  --exclude "METHOD /path"      Leave a route out of a configuration for HAProxy. May be repeated.')
  print('  --bind address                Where HAProxy listens.')
  print('  --out path                    A file, or the directory of a configuration for HAProxy.')
  print()
  print(bold('Explaining'))
  print('  --url url                     Of the request, as in http://localhost/pets; --method GET by default.')
  print('  --header "name: value"        May be repeated.')
  print(
    '  --token-file file             The bearer token; "-" reads it from the standard input. --token takes it as is.',
  )
  print()
  print('  --json   Print results and refusals as JSON.')
}
