/**
 * Every example of the kit's reference is compiled against the kit and run on real things, and what it says of itself in a
 * comment is so.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { prismaClient } from '../../packages/tenancy/src/postgres/test-prisma.ts'
import { documentedNames } from './kit.ts'
import { type Program, programsOf } from './programs.ts'
import type { Order, Outcome } from './run-examples.ts'
import { setups } from './setups.ts'

const names = documentedNames()
const programs = programsOf(names)
// Inside of the repository, where packages are found.
const directory = mkdtempSync(join(import.meta.dirname, '.examples-'))
const fileOf = ({ name }: Program): string => join(directory, `${name.replace(/\W+/g, '-')}.ts`)
let worker: Worker
let compiling: Promise<string[]>

before(async () => {
  for (const program of programs) writeFileSync(fileOf(program), program.text)
  mkdirSync(join(directory, 'generated'))
  symlinkSync(await prismaClient(), join(directory, 'generated', 'prisma'), 'junction')
  compiling = compile()
  worker = new Worker(new URL('run-examples.ts', import.meta.url), { stdout: true })
})
after(async () => {
  const { failure } = await ask('close')
  await worker.terminate()
  await compiling
  rmSync(directory, { recursive: true, force: true })
  assert.equal(failure, undefined)
})

/** @returns the compiler's complaints */
async function compile(): Promise<string[]> {
  const compilerOptions = { noEmit: true, noUnusedLocals: false, noUnusedParameters: false }
  const config = { extends: '../../../tsconfig.json', compilerOptions, include: ['*.ts'], exclude: [] }
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config))
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  const output = await new Promise<string>((resolve) =>
    execFile(process.execPath, [compiler, '-p', directory, '--pretty', 'false'], (_, stdout) => resolve(stdout)),
  )
  return output.split('\n').filter((line) => line.includes('error TS'))
}

async function ask(message: Order | 'close'): Promise<Outcome> {
  worker.postMessage(message)
  const [outcome] = await once(worker, 'message')
  return outcome
}
const run = (program: Program): Promise<Outcome> =>
  ask({ name: program.name, claims: program.claims, url: pathToFileURL(fileOf(program)).href })

for (const program of programs) {
  const { name, claims, text } = program
  test(`${name}: the example runs${claims > 0 ? ', and what it says is so' : ''}`, async (t) => {
    const { failure, skipped } = await run(program)
    if (skipped) t.skip(skipped)
    if (failure) assert.fail(`The example of ${name}. ${failure}\n\n${text}`)
  })
}

test('every example compiles against the kit, with what its reader is said to have', async () => {
  assert.ok(programs.length > 60, `${programs.length} examples`)
  assert.deepEqual(await compiling, [])
})

test('every set-up belongs to an example', () => {
  const known = new Set(programs.map(({ name }) => name))
  assert.deepEqual(
    Object.keys(setups).filter((name) => !known.has(name)),
    [],
  )
})

const broken: Record<string, [example: string, failure: RegExp]> = {
  'says another value': ['newTenantId().length // → 25', /It gives 24, and says that it gives 25/],
  'leaves out members without saying so': [
    "placementFor('bridge', 't') // → { model: 'bridge' }",
    /schema: 'tenant_t'/,
  ],
  'is refused': ['await authenticate({})', /token_missing/],
  'is refused for another reason': ["await authenticate({}) // throws TokenRefused 'token_expired'", /token_missing/],
  'is not refused': ["requireScope(identity, 'read:item') // throws TokenRefused", /It throws nothing/],
  'says something where it does not come': [
    'const idle = () => {\n  1 + 1 // → 3\n}',
    /Of the 1 results .* 0 were reached/,
  ],
  'fails beside': ['void authenticate({})\nawait authenticate(request.headers)', /token_missing/],
}
for (const [what, [code, expected]] of Object.entries(broken)) {
  test(`an example that ${what} fails`, async () => {
    const [program] = programsOf([
      ...names.map((each) => ({ ...each, examples: [] })),
      { entry: '@tenantry/tenancy', name: what, signature: '', text: '', examples: [{ title: '', code }] },
    ])
    writeFileSync(fileOf(program!), program!.text)
    assert.match((await run(program!)).failure ?? 'It runs.', expected)
  })
}
