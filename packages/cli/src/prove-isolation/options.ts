/** What the command is told: options, files and variables, read and checked into what the proof takes. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { systemClock } from '@tenantry/kernel/clock.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Hints, ProofOptions } from '@tenantry/tenancy/proof'
import { parse } from 'yaml'
import { namedValues } from '../definitions/flags.ts'

export const problems = defineProblems({
  bad_argument: { status: 400, title: '{reason} Try: tenantry prove-isolation --help' },
  not_readable: { status: 400, title: '{what} {from} cannot be read: {reason}.' },
})

export const flags = {
  openapi: { type: 'string', of: 'file|url', describe: 'The OpenAPI 3 document, as YAML or JSON.' },
  'base-url': {
    type: 'string',
    of: 'url',
    describe: 'Where the API answers; the document’s first server if it is absolute.',
  },
  'token-a': {
    type: 'string',
    of: '@file|env:NAME',
    default: 'env:TENANTRY_TOKEN_A',
    describe: 'An access token of tenant A, in a file or a variable.',
  },
  'token-b': {
    type: 'string',
    of: '@file|env:NAME',
    default: 'env:TENANTRY_TOKEN_B',
    describe: 'The same of tenant B.',
  },
  'further-token-a': {
    type: 'string',
    multiple: true,
    of: 'role=@file',
    describe: 'A token of tenant A with another role, to attack with as well.',
  },
  'expired-token-a': { type: 'string', of: '@file|env:NAME', describe: 'A token of tenant A that has expired.' },
  'tenant-a': {
    type: 'string',
    multiple: true,
    of: 'id',
    describe: 'How the API names tenant A, besides its token’s claims.',
  },
  'tenant-b': { type: 'string', multiple: true, of: 'id', describe: 'How it names tenant B.' },
  'base-url-b': { type: 'string', of: 'url', describe: 'Tenant B’s own address, where tenants have one each.' },
  hints: {
    type: 'string',
    of: 'file',
    describe: 'What the document does not say: ids, bodies, public and shared routes.',
  },
  only: { type: 'string', multiple: true, of: '"GET /path"', describe: 'Attack this route alone. May be repeated.' },
  junit: { type: 'string', of: 'file', describe: 'Write JUnit XML as well.' },
  json: { type: 'boolean', default: false, describe: 'Print the result as JSON.' },
  strict: { type: 'boolean', default: false, describe: 'Fail as well when a route could not be tested.' },
  rate: { type: 'string', default: '50', of: 'number', describe: 'Requests a second at most; 0 for no limit.' },
  timeout: {
    type: 'string',
    default: '900',
    of: 'seconds',
    describe: 'For the whole run. What is not tried by then counts as not tested.',
  },
  'request-timeout': { type: 'string', default: '15', of: 'seconds', describe: 'For one request.' },
  seed: { type: 'string', of: 'text', describe: 'Of an earlier run, to send the same once more.' },
  ca: { type: 'string', of: 'file', describe: 'Certificate authorities (PEM) to trust.' },
  help: { type: 'boolean', short: 'h', default: false, describe: 'Say this.' },
} as const

export type Flags = ReturnType<typeof readFlags>

/** @throws Error with a code `ERR_PARSE_ARGS_…` for options that are not known */
export const readFlags = (args: readonly string[]) => parseArgs({ args: [...args], options: flags }).values

const bad = (reason: string) => problems.bad_argument({ facts: { reason } })

/** @throws Problem that says which option is wrong, and how to give it */
export async function proofOptions(given: Flags, env: NodeJS.ProcessEnv): Promise<ProofOptions> {
  if (given.openapi === undefined) throw bad('Name the description of the API with --openapi.')
  const openapi = await documentOf(given.openapi)
  const baseUrl = given['base-url'] ?? serverOf(openapi)
  if (baseUrl === undefined)
    throw bad('Say with --base-url where the API answers; the document names no absolute server.')
  const further = Object.entries(namedValues(given['further-token-a'], 'further-token-a'))
  const hints =
    given.hints === undefined ? {} : (parsed(textOf(given.hints, 'The hints'), given.hints, 'The hints') as Hints)
  return {
    openapi,
    baseUrl,
    tokens: { a: secretOf(given['token-a'], 'token-a', env), b: secretOf(given['token-b'], 'token-b', env) },
    furtherTokensOfA: Object.fromEntries(further.map(([name, from]) => [name, secretOf(from, 'further-token-a', env)])),
    ...(given['expired-token-a'] === undefined
      ? {}
      : { expiredToken: secretOf(given['expired-token-a'], 'expired-token-a', env) }),
    ...(given['base-url-b'] === undefined ? {} : { baseUrlOfB: given['base-url-b'] }),
    ...(given.only === undefined ? {} : { only: given.only }),
    ...(given.seed === undefined ? {} : { seed: given.seed }),
    ...(given.ca === undefined ? {} : { ca: textOf(given.ca, 'The certificate authorities') }),
    hints: {
      ...hints,
      tenants: {
        a: [...(given['tenant-a'] ?? []), ...(hints.tenants?.a ?? [])],
        b: [...(given['tenant-b'] ?? []), ...(hints.tenants?.b ?? [])],
      },
    },
    rate: numberOf(given.rate, 'rate') || Number.POSITIVE_INFINITY,
    timeoutSeconds: numberOf(given.timeout, 'timeout'),
    requestTimeoutSeconds: numberOf(given['request-timeout'], 'request-timeout'),
    now: () => systemClock.now(),
  }
}

/** A token is not taken from the command line itself: every user of the machine can read that. */
function secretOf(from: string, option: string, env: NodeJS.ProcessEnv): string {
  if (from.startsWith('@'))
    return required(textOf(from.slice(1), `The token of --${option}`).trim(), `The file of --${option} is empty.`)
  if (!from.startsWith('env:'))
    throw bad(`--${option} wants @file or env:NAME: what stands on a command line is seen by others.`)
  const name = from.slice(4)
  return required(
    env[name]?.trim() ?? '',
    `--${option} is missing: give @file, or put the token into the variable ${name}.`,
  )
}

function required(text: string, reason: string): string {
  if (text === '') throw bad(reason)
  return text.replace(/^Bearer\s+/i, '')
}

function numberOf(text: string, option: string): number {
  const number = Number(text)
  if (text.trim() === '' || !Number.isFinite(number) || number < 0) throw bad(`--${option} ${text} is not a number.`)
  return number
}

async function documentOf(from: string): Promise<unknown> {
  if (!/^https?:\/\//.test(from)) return parsed(textOf(from, 'The document'), from, 'The document')
  try {
    const answer = await fetch(from, { signal: AbortSignal.timeout(15_000) })
    if (!answer.ok) throw new Error(`it is answered ${answer.status}`)
    return parsed(await answer.text(), from, 'The document')
  } catch (cause) {
    throw notReadable('The document', from, cause)
  }
}

const notReadable = (what: string, from: string, cause: unknown) => {
  const { message, cause: deeper } = cause as Error
  return problems.not_readable({
    facts: { what, from, reason: deeper instanceof Error ? `${message} (${deeper.message})` : message },
    cause,
  })
}

function textOf(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw notReadable(what, file, cause)
  }
}

/** JSON is YAML. */
function parsed(text: string, from: string, what: string): unknown {
  try {
    return parse(text)
  } catch (cause) {
    throw notReadable(what, from, cause)
  }
}

function serverOf(openapi: unknown): string | undefined {
  const [server] = (openapi as { servers?: { url?: unknown }[] } | null)?.servers ?? []
  return typeof server?.url === 'string' && /^https?:\/\//.test(server.url) ? server.url : undefined
}
