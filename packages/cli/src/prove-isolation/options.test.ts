import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { proofOptions, readFlags } from './options.ts'

let directory: string
const file = (name: string, text: string): string => {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}
let openapi: string
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'tenantry-prove-options-'))
  openapi = file('api.yaml', 'openapi: 3.0.1\npaths: {}\n')
})
after(() => rmSync(directory, { recursive: true, force: true }))

const env = { TENANTRY_TOKEN_A: 'token-of-a', TENANTRY_TOKEN_B: ' Bearer token-of-b\n' }
const read = (args: readonly string[], variables: Record<string, string> = env) =>
  proofOptions(readFlags(args), variables)

test('tokens come from files and variables, hints and options are put together', async () => {
  const hints = file('hints.yaml', 'tenants: { b: [globex] }\nshared: [GET /plans]\n')
  const clerk = file('clerk.token', 'token-of-clerk\n')
  const given = ['--openapi', openapi, '--base-url', 'https://api.example.com/v1', '--hints', hints]
  const options = await read([...given, '--tenant-b', 't-2', '--further-token-a', `clerk=@${clerk}`, '--rate', '0'])
  const { now, ...rest } = options
  assert.equal(now instanceof Function, true)
  assert.deepEqual(rest, {
    openapi: { openapi: '3.0.1', paths: {} },
    baseUrl: 'https://api.example.com/v1',
    tokens: { a: 'token-of-a', b: 'token-of-b' },
    furtherTokensOfA: { clerk: 'token-of-clerk' },
    hints: { shared: ['GET /plans'], tenants: { a: [], b: ['t-2', 'globex'] } },
    rate: Number.POSITIVE_INFINITY,
    timeoutSeconds: 900,
    requestTimeoutSeconds: 15,
  })
})

test('without --base-url the document’s first server is asked, if it is absolute', async () => {
  const named = file('server.json', '{"openapi":"3.1.0","servers":[{"url":"https://api.example.com"}]}')
  assert.equal((await read(['--openapi', named])).baseUrl, 'https://api.example.com')
})

test('each wrong option says what it is and how it is given', async () => {
  const base = ['--openapi', openapi, '--base-url', 'https://api.example.com']
  const cases: [string[], Record<string, string>, RegExp][] = [
    [[], env, /^Name the description of the API with --openapi\. Try: tenantry prove-isolation --help$/],
    [
      ['--openapi', openapi],
      env,
      /^Say with --base-url where the API answers; the document names no absolute server\./,
    ],
    [['--openapi', join(directory, 'none')], env, /^The document .*none cannot be read: ENOENT/],
    [['--openapi', file('broken.yaml', 'a: [')], env, /^The document .*broken\.yaml cannot be read: /],
    [base, {}, /^--token-a is missing: give @file, or put the token into the variable TENANTRY_TOKEN_A\./],
    [[...base, '--token-b', `@${file('empty', '\n')}`], env, /^The file of --token-b is empty\./],
    [
      [...base, '--token-b', 'eyJ'],
      env,
      /^--token-b wants @file or env:NAME: what stands on a command line is seen by others\./,
    ],
    [[...base, '--further-token-a', 'clerk'], env, /^--further-token-a clerk is not name=value\./],
    [[...base, '--timeout', 'soon'], env, /^--timeout soon is not a number\./],
    [[...base, '--rate=-1'], env, /^--rate -1 is not a number\./],
    [[...base, '--ca', join(directory, 'none')], env, /^The certificate authorities .* cannot be read: ENOENT/],
  ]
  for (const [args, variables, message] of cases)
    await assert.rejects(read(args, variables), { message }, args.join(' '))
})
