/**
 * `tenantry gateway explain <file>`: why a request to the APIs of a definition would be answered as it is. The definition
 * is compiled as a gateway does and asked; nothing listens and no integration is reached.
 */
import { readFileSync } from 'node:fs'
import type { LoadedDefinition } from '@tenantry/gateway/definition/load.ts'
import type { Explanation } from '@tenantry/gateway/explain.ts'
import { FunctionFailed } from '@tenantry/gateway/functions/functions.ts'
import { createGateway } from '@tenantry/gateway/gateway.ts'
import { systemClock } from '@tenantry/kernel/clock.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { reachableAtLocalhost } from '../run/routes.ts'
import { bold, dim, print } from '../terminal.ts'
import type { Flags } from './flags.ts'
import { problems } from './problems.ts'
import { fetchJsonOf } from './read.ts'

const standardInput = 0

/** @returns the exit code: 0 for a request that would reach its integration, 3 for one the gateway answers itself */
export async function explainRequest({ apis }: LoadedDefinition, flags: Flags): Promise<number> {
  const { url, method = 'GET', header = [] } = flags
  if (url === undefined) throw problems.option_missing({ facts: { option: 'url', example: 'http://localhost/pets' } })
  const headers = Object.fromEntries(header.map(readHeader))
  const token = readToken(flags)
  const gateway = createGateway({
    apis: reachableAtLocalhost(apis),
    clock: systemClock,
    logger: createLogger({ level: 'silent' }),
    fetchJson: fetchJsonOf(flags),
    strict: flags.strict === true,
    accessLog: null,
    functions: {
      invoke: async (arn) => {
        throw new FunctionFailed('unknown', `the function ${arn} is not run for an explanation`)
      },
    },
  })
  try {
    const question = { method, url, headers, ...(token === undefined ? {} : { token }) }
    const explanation = await gateway.explain(question).catch((cause: Error) => {
      throw problems.request_unusable({ facts: { reason: cause.message }, cause })
    })
    if (flags.json === true) print(JSON.stringify(explanation, null, 2))
    else tell(explanation)
    return explanation.answer === null ? 0 : 3
  } finally {
    await gateway.close()
  }
}

function tell({ answer, steps }: Explanation): void {
  let place = ''
  for (const { at, check, passed, expected, actual } of steps) {
    if (at !== place) print(bold(at))
    place = at
    const mark = passed === null ? ' ' : passed ? '✓' : '✗'
    print(`  ${mark} ${check}${actual === undefined ? '' : dim(`  ${actual}`)}`)
    if (passed === false && expected !== undefined) print(`      expected: ${expected}`)
  }
  print()
  if (answer === null) print('The integration answers.')
  else print(`The gateway answers ${answer.status}${answer.body === '' ? '' : ` ${answer.body}`}`)
}

/** From a file or the standard input, so that it need not stand in the history of a shell. */
function readToken({ token, 'token-file': file }: Flags): string | undefined {
  if (token !== undefined || file === undefined) return token
  try {
    return readFileSync(file === '-' ? standardInput : file, 'utf8').trim()
  } catch (cause) {
    throw problems.file_unreadable({ facts: { file, reason: (cause as Error).message }, cause })
  }
}

function readHeader(text: string): [string, string] {
  const at = text.indexOf(':')
  if (at < 1) throw problems.header_malformed()
  return [text.slice(0, at), text.slice(at + 1).trim()]
}
