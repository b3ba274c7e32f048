/** The command line of `tenantry gateway run`. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { parseArgs } from 'node:util'
import type { AccessLog } from '@tenantry/gateway/access-log/access-log.ts'
import type { Api } from '@tenantry/gateway/api.ts'
import { systemClock } from '@tenantry/kernel/clock.ts'
import { createLogger, type Logger } from '@tenantry/kernel/logger.ts'
import { defineProblems, Problem } from '@tenantry/kernel/problem.ts'
import { namedValues } from '../definitions/flags.ts'
import { ensureLocalCertificate } from '../local-certificate.ts'
import { bold, complain, dim, print } from '../terminal.ts'
import type { EnvironmentFile } from './functions.ts'
import { routeRows } from './routes.ts'
import { type RunOptions, runDefinition } from './run.ts'
import type { RunTls } from './tls.ts'

export const problems = defineProblems({
  bad_argument: { status: 500, title: '{reason}. Try: tenantry gateway help' },
  not_served: { status: 500, title: '{file} cannot be served: {reason}.' },
})

const flags = {
  host: { type: 'string', default: '127.0.0.1', of: 'address', describe: 'Where to listen.' },
  port: { type: 'string', default: '8080', of: 'number', describe: 'Where to listen; 0 for any that is free.' },
  'tls-port': { type: 'string', of: 'number', describe: 'Also speak TLS there, for localhost and custom domains.' },
  'tls-cert': {
    type: 'string',
    of: 'file',
    describe: 'Certificate, chain and private key; by default Tenantry’s own for localhost.',
  },
  truststore: {
    type: 'string',
    multiple: true,
    of: 'domain=file',
    describe: 'Authorities whose clients a domain with mutual TLS lets in.',
  },
  parameter: { type: 'string', multiple: true, of: 'Name=value', describe: 'A parameter of the template.' },
  import: { type: 'string', multiple: true, of: 'name=value', describe: 'What another stack exports.' },
  variable: { type: 'string', multiple: true, of: 'Name=value', describe: 'AWS::Region and the like.' },
  'stage-variable': {
    type: 'string',
    multiple: true,
    of: 'name=value',
    describe: 'A stage variable of an OpenAPI document.',
  },
  'env-vars': { type: 'string', of: 'file', describe: 'JSON with variables by function, as the SAM CLI reads it.' },
  ca: {
    type: 'string',
    of: 'file',
    describe: 'Certificate authorities to trust besides the public ones; by default Tenantry’s own.',
  },
  strict: { type: 'boolean', default: false, describe: 'Refuse what goes beyond AWS.' },
  'no-watch': { type: 'boolean', default: false, describe: 'Do not load anew what changes.' },
  json: { type: 'boolean', default: false, describe: 'Print lines of JSON: when ready, per request, per log entry.' },
} as const

export function runHelp(): void {
  print(`${bold('Usage')}  tenantry gateway run <file> [options]`)
  print()
  print('  Serves the HTTP APIs of an OpenAPI document, a SAM or a CloudFormation template (cdk synth writes one),')
  print('  and runs the functions that it names from their folders.')
  print()
  for (const [name, flag] of Object.entries(flags)) {
    const usage = `--${name}${'of' in flag ? ` <${flag.of}>` : ''}`
    const preset = 'default' in flag && flag.default !== false ? dim(` [${flag.default}]`) : ''
    print(`  ${usage.padEnd(30)} ${flag.describe}${preset}`)
  }
}

const bad = (reason: string): Problem => problems.bad_argument({ facts: { reason } })

/** Runs until a signal. @throws Problem or Error that says what cannot be served, and why */
export async function runCommand(args: string[], dataDirectory: string): Promise<void> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: flags })
  const [file, ...rest] = positionals
  if (file === undefined || rest.length > 0) throw bad('name one file: tenantry gateway run <file>')
  const json = values.json
  const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`)
  for (const option of ['tls-cert', 'truststore'] as const) {
    if (values[option] !== undefined && values['tls-port'] === undefined) throw bad(`--${option} needs --tls-port`)
  }
  const caFile = values.ca ?? presetCa(dataDirectory)
  const options: RunOptions = {
    file,
    host: values.host,
    port: readPort(values.port, '--port'),
    ...(values['tls-port'] === undefined ? {} : { tls: await readTls(values, dataDirectory) }),
    parameters: namedValues(values.parameter, 'parameter'),
    imports: namedValues(values.import, 'import'),
    variables: namedValues(values.variable, 'variable'),
    stageVariables: namedValues(values['stage-variable'], 'stage-variable'),
    ...(values['env-vars'] === undefined ? {} : { environments: readEnvironments(values['env-vars']) }),
    strict: values.strict,
    watch: !values['no-watch'],
    ...(caFile === undefined ? {} : { trustedCa: [...rootCertificates, readPem(caFile, '--ca')].join('\n') }),
    logger: logTo(json),
    accessLog: accessLogTo(json),
  }
  const ports: { port: number; tlsPort?: number } = { port: options.port }
  const tell = (apis: readonly Api[], warnings: readonly string[]): void => {
    if (json) {
      say({ event: 'ready', ...ports, routes: routeRows(apis, ports.port), warnings })
      return
    }
    for (const warning of warnings) complain(`warning: ${warning}`)
    printRoutes(apis, ports.port)
    if (ports.tlsPort !== undefined) print(`  Also with TLS: https://localhost:${ports.tlsPort}\n`)
  }
  const running = await runDefinition(options, {
    reloaded: tell,
    failed: (error) =>
      json ? say({ event: 'failed', reason: error.message }) : complain(`not reloaded: ${error.message}`),
  }).catch((error: Error) => {
    throw error instanceof Problem
      ? error
      : problems.not_served({ facts: { file, reason: error.message }, cause: error })
  })
  ports.port = running.port
  if (running.tlsPort !== undefined) ports.tlsPort = running.tlsPort
  tell(running.apis, running.warnings)
  let stopping = false
  const stop = (): void => {
    if (stopping) process.exit(130)
    stopping = true
    void running.close().then(() => process.exit(0))
  }
  // The last is what a terminal says that is closed.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop)
}

function printRoutes(apis: readonly Api[], port: number): void {
  const rows = routeRows(apis, port)
  const width = Math.max(...rows.map(({ url }) => url.length))
  print()
  for (const { method, url, target, access } of rows) {
    print(`  ${method.padEnd(7)} ${url.padEnd(width)}  ${dim(`→ ${target}`)}  ${dim(access)}`)
  }
  print()
}

// One line a request, as a developer reads it; who logs for machines asks for JSON.
const accessLogTo = (json: boolean): AccessLog => ({
  close: async () => undefined,
  write: (exchange) => {
    const { request, status, bytes, receivedAt, endedAt, route, authorizerError, integration, id } = exchange
    const [path] = (request.url ?? '').split('?', 1)
    const error = authorizerError || integration.error
    const milliseconds = endedAt - receivedAt
    if (json) {
      const entry = { id, method: request.method, path, status, bytes, milliseconds, route: route?.key ?? null }
      process.stdout.write(`${JSON.stringify({ event: 'request', ...entry, ...(error === '' ? {} : { error }) })}\n`)
      return
    }
    const outcome = error === '' ? '' : `  ${printable(error)}`
    print(`${status} ${request.method} ${printable(path ?? '')} ${dim(`${milliseconds} ms`)}${outcome}`)
  },
})

// biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal obeys control characters, and clients send these texts
const printable = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?')

/** What functions write, and what goes wrong in the gateway, as lines for people. */
function logTo(json: boolean): Logger {
  if (json) return createLogger()
  return createLogger({
    destination: {
      write: (line: string) => {
        const { function: name, msg, err, level } = JSON.parse(line)
        const text = err?.message === undefined || msg?.includes(err.message) ? msg : `${msg}: ${err.message}`
        const from = name === undefined ? '' : `${name}: `
        const shown = String(text).split('\n').map(printable).join('\n')
        if (level >= 50) complain(`${from}${shown}`)
        else print(dim(`${from}${shown}`))
      },
    },
  })
}

function readPort(text: string, option: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw bad(`${option} ${text} must be a number from 0 to 65535`)
  return port
}

function readPem(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw bad(`${option} ${file} cannot be read: ${(cause as Error).message}`)
  }
}

async function readTls(
  values: { 'tls-port'?: string; 'tls-cert'?: string; truststore?: string[] },
  dataDirectory: string,
): Promise<RunTls> {
  const file = values['tls-cert']
  const rest = {
    port: readPort(values['tls-port']!, '--tls-port'),
    truststores: namedValues(values.truststore, 'truststore'),
  }
  if (file !== undefined)
    return { ...rest, certificate: { from: `--tls-cert ${file}`, text: readPem(file, '--tls-cert') } }
  const own = await ensureLocalCertificate({ directory: join(dataDirectory, 'tls'), clock: systemClock })
  return { ...rest, certificate: { from: 'Tenantry’s own certificate', text: own.cert + own.key } }
}

function readEnvironments(file: string): EnvironmentFile {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw bad(`--env-vars ${file} cannot be read: ${(cause as Error).message}`)
  }
}

/** That of `tenantry start` in this directory, whose issuer the definition most likely names. */
function presetCa(dataDirectory: string): string | undefined {
  const file = join(dataDirectory, 'tls', 'ca.pem')
  return existsSync(file) ? file : undefined
}
