/** `tenantry prove-isolation` as it is typed: exit codes, what it prints, what it writes, and what it keeps to itself. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Proof } from '@tenantry/tenancy/proof'
import { type BrokenApi, openapiFile, startBrokenApi } from './broken-api/broken-api.ts'
import { tokenOf } from './broken-api/tokens.ts'

const executable = fileURLToPath(new URL('../../packages/cli/src/tenantry.ts', import.meta.url))
const openapi = fileURLToPath(openapiFile)

let api: BrokenApi
let directory: string
before(async () => {
  api = await startBrokenApi()
  directory = mkdtempSync(join(tmpdir(), 'tenantry-prove-'))
})
after(async () => {
  await api?.close()
  rmSync(directory, { recursive: true, force: true })
})

interface Ran {
  code: number
  stdout: string
  stderr: string
}

function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const { PATH = '' } = process.env
    execFile(
      process.execPath,
      [executable, 'prove-isolation', ...args],
      { env: { PATH, ...env }, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

const tenant = () => `tn${randomBytes(6).toString('hex')}`
const common = () => ['--openapi', openapi, '--base-url', api.url, '--rate', '0', '--seed', 'sparrow']

test('a leak is told with the request that shows it, as JSON and as JUnit, with exit code 1 and without a token', async () => {
  await api.break('read-unlimited')
  const tokens = [tokenOf(tenant()), tokenOf(tenant())]
  const files = tokens.map((token, index) => {
    const file = join(directory, `${index}.token`)
    writeFileSync(file, `${token}\n`)
    return file
  })
  const junit = join(directory, 'junit.xml')
  const given = ['--token-a', `@${files[0]}`, '--token-b', `@${files[1]}`, '--only', 'GET /projects/{projectId}']
  const { code, stdout, stderr } = await run([...common(), ...given, '--json', '--junit', junit])
  assert.equal(code, 1, stderr)
  const proof = JSON.parse(stdout) as Proof
  assert.equal(proof.findings.length, 1)
  const [finding] = proof.findings
  assert.equal(finding!.kind, 'read-by-id')
  assert.equal(finding!.route, 'GET /projects/{projectId}')
  assert.equal(finding!.request.as, 'tenant A')
  assert.match(
    finding!.curl,
    /^curl -sS -i --path-as-is -X GET 'http:\/\/127\.0\.0\.1:\d+\/projects\/prj_[0-9a-f]{16}' -H "authorization: Bearer \$TOKEN_A"$/,
  )
  assert.equal(finding!.answer.status, 200)
  // The excerpt shows what the finding speaks of.
  const [shown] = /tpb[a-z0-9]{10}/.exec(finding!.shows)!
  assert.ok(finding!.answer.excerpt.includes(shown))

  const xml = readFileSync(junit, 'utf8')
  assert.match(
    xml,
    /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites name="isolation of Broken projects" tests="\d+" failures="1" errors="0" skipped="\d+" time="[\d.]+">\n/,
  )
  assert.match(
    xml,
    /<testcase classname="GET \/projects\/\{projectId\}" name="read-by-id: [^"]+"><failure type="critical" message="/,
  )
  for (const text of [stdout, stderr, xml]) for (const token of tokens) assert.ok(!text.includes(token))
})

test('without a leak it ends with 0, says what was not tested and why, and with --strict it ends with 1 for that', async () => {
  await api.break(undefined)
  const env = { TENANTRY_TOKEN_A: tokenOf(tenant()), TENANTRY_TOKEN_B: tokenOf(tenant()) }
  const hints = join(directory, 'hints.yaml')
  writeFileSync(hints, 'skip:\n  - GET /stats\n  - PUT /files/{name}\n')
  const given = [
    ...common(),
    '--hints',
    hints,
    '--only',
    'GET /tasks',
    '--only',
    'GET /files/{name}',
    '--only',
    'GET /stats',
  ]
  const { code, stdout, stderr } = await run(given, env)
  assert.equal(code, 0, stderr)
  assert.match(stdout, /No leak was found\. \d+ of 26 routes were tested; about the other \d+ nothing is proven\./)
  assert.match(stdout, /GET \/stats +not tested: it is left out by the hints/)
  assert.match(stdout, /POST \/projects +not tested: it was not asked for/)
  assert.match(
    stdout,
    /GET \/files\/\{name\} +not tested: no id of tenant A is known for \{name\}; name one in the hints/,
  )
  assert.match(stdout, /seed sparrow/)
  assert.equal((await run([...given, '--strict'], env)).code, 1)
})

test('what cannot be run ends with 2 and says what to do; a token on the command line is not taken', async () => {
  await api.break(undefined)
  const env = { TENANTRY_TOKEN_A: tokenOf(tenant()), TENANTRY_TOKEN_B: tokenOf(tenant()) }
  const cases: [string[], Record<string, string>, RegExp][] = [
    [[...common(), '--token-a', 'eyJhbGciOi'], env, /--token-a wants @file or env:NAME: what stands on a command line/],
    [
      common(),
      { ...env, TENANTRY_TOKEN_A: 'meaningless' },
      /No route answers tenant A itself, so nothing can be proven\. .* answers 401 to tenant A itself/,
    ],
    [['--openapi', openapi, '--base-url', 'http://127.0.0.1:1'], env, /The API does not answer: .*ECONNREFUSED/],
    [['--no-such-option'], env, /Unknown option '--no-such-option'/],
  ]
  for (const [args, variables, expected] of cases) {
    const { code, stdout, stderr } = await run(args, variables)
    assert.match(stderr, expected, args.join(' '))
    assert.equal(code, 2, args.join(' '))
    assert.ok(!`${stdout}${stderr}`.includes(env.TENANTRY_TOKEN_B))
  }
})

test('the same seed sends the same requests to the same tenants', async () => {
  const [a, b] = [tokenOf(tenant()), tokenOf(tenant())]
  const env = { TENANTRY_TOKEN_A: a, TENANTRY_TOKEN_B: b }
  const runs: string[] = []
  for (let round = 0; round < 2; round++) {
    await api.break('mass-assignment')
    const { stdout } = await run([...common(), '--only', 'POST /projects', '--json'], env)
    runs.push((JSON.parse(stdout) as Proof).findings[0]!.request.body!)
  }
  assert.equal(runs[0], runs[1])
})
