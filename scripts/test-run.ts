/** Runs the test files with one database for all of them, and leaves nothing behind, also on Ctrl-C. */
import { spawn } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import chromium from '@sparticuz/chromium'
import { schemas } from '../packages/cli/src/schemas.ts'
import { makeTestKeyPairs } from '../packages/identity/src/keys/test-key-pairs.ts'
import { openTestDatabase } from './test-database.ts'

const PLACES = ['packages/**/*.test.ts', 'examples/**/*.test.ts', 'test/**/*.test.ts']
const WORKERS = 2
const FILES_IN_A_BATCH = 8
// A value comes behind "=": as a word of its own it would be a filter, and Node would take the first file for the value.
const PASSED_ON = /^--(?:test-(?:only|force-exit|randomize)|experimental-test-coverage|test-[a-z-]+=.+)$/
const USAGE =
  'Usage: npm test -- [--postgres] [options of node --test, such as --test-name-pattern=N245] [parts of paths of test files]'
const args = process.argv.slice(2)
const onServer = args.includes('--postgres')
const nodeOptions = args.filter((arg) => arg.startsWith('-') && arg !== '--postgres')
const unknown = nodeOptions.find((option) => !PASSED_ON.test(option))
const wanted = args.filter((arg) => !arg.startsWith('-')).map((arg) => relative('.', arg) || '.')

const files = globSync(PLACES, { exclude: (path) => /(^|[\\/])(node_modules|dist)$/.test(path) })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => wanted.length === 0 || wanted.some((text) => text === '.' || path.includes(text)))
  .sort()

const stopped = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopped.abort())

async function main(): Promise<number> {
  if (unknown !== undefined) {
    console.error(`${unknown} is not understood. ${USAGE}`)
    return 1
  }
  if (files.length === 0) {
    console.error(`No test file matches ${wanted.join(' ')}.`)
    return 1
  }
  if (onServer && !process.env.DATABASE_URL) {
    console.error('--postgres needs DATABASE_URL, a PostgreSQL server on which databases and roles may be created.')
    return 1
  }
  // Unpacked here, once: to the package, what another process has half written is whole. Where it cannot be, the tests that
  // need a browser say so.
  await chromium.executablePath().catch(() => undefined)
  const database = await openTestDatabase({ serverUrl: onServer ? process.env.DATABASE_URL : undefined, schemas })
  const directory = mkdtempSync(join(tmpdir(), 'tenantry-tests-'))
  try {
    const keyPairs = files.length < 10 ? {} : await makeTestKeyPairs(join(directory, 'key-pairs.json'), 48)
    if (stopped.signal.aborted) return 130
    return await runTests(writeBatches(join(directory, 'batches')), {
      TENANTRY_TEST_DATABASE: JSON.stringify(database.urls),
      // All processes load the same files; read and compiled once, each starts with a third of the work.
      NODE_COMPILE_CACHE: join(directory, 'compiled'),
      ...keyPairs,
    })
  } finally {
    rmSync(directory, { recursive: true, force: true })
    await database.close()
  }
}

/**
 * A process for some files at a time: to load the server costs each of them more than a second of CPU, and most tests no
 * more than that. Each file is a suite, so that its hooks are its own; one runs after the other.
 */
function writeBatches(directory: string): string[] {
  mkdirSync(directory)
  const size = Math.min(FILES_IN_A_BATCH, Math.ceil(files.length / WORKERS))
  return Array.from({ length: Math.ceil(files.length / size) }, (_, number) => {
    const urls = files
      .slice(number * size, (number + 1) * size)
      .map((file) => [file, pathToFileURL(resolve(file)).href])
    const path = join(directory, `${String(number + 1).padStart(3, '0')}.test.mjs`)
    writeFileSync(path, `const files = ${JSON.stringify(urls)}\n${BATCH}`)
    return path
  })
}

/**
 * One file is loaded when the one before it is over: of two at once, whichever waits for the other's imports would register
 * its tests in the other's suite. Meanwhile something has to keep the event loop going, or Node ends a module that awaits.
 */
const BATCH = `import { suite } from 'node:test'
const going = setInterval(() => {}, 60_000)
for (const [file, url] of files) await suite(file, () => import(url))
clearInterval(going)
`

function runTests(batches: string[], environment: Record<string, string>): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      ...['--no-node-snapshot', '--test', `--test-concurrency=${WORKERS}`, '--test-timeout=1200000'],
      ...(nodeOptions.some((option) => option.startsWith('--test-reporter')) ? [] : ['--test-reporter=spec']),
      ...nodeOptions,
      ...batches,
    ],
    { stdio: 'inherit', env: { ...process.env, ...environment } },
  )
  stopped.signal.addEventListener('abort', () => child.kill('SIGINT'))
  return new Promise((resolve) => child.once('exit', (code) => resolve(stopped.signal.aborted ? 130 : (code ?? 1))))
}

process.exitCode = await main().catch((error: Error) => {
  console.error(error.message)
  return 1
})
