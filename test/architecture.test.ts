/** The rules of ARCHITECTURE.md that a machine can check. A failure quotes the rule that was broken. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const skipped = new Set(['node_modules', '.git', '.tenantry', 'dist', '.angular', 'coverage'])

function walk(directory: string): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name)) return []
    const path = join(directory, entry.name)
    return entry.isDirectory() ? walk(path) : [path]
  })
}

const files = ['packages', 'examples', 'test', 'bench', 'scripts'].flatMap(walk)
const sources = files
  .filter((path) => /\.(ts|mjs)$/.test(path) && !path.includes('/testdata/') && !path.endsWith('.d.ts'))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

const isTest = (path: string) =>
  /(\.test\.ts|(^|\/)(testing|fixture|test-[a-z-]+)\.ts)$/.test(path) || path.startsWith('test/')

const packageOf = (path: string): string | undefined =>
  /^packages\/([^/]+)\//.exec(path)?.[1] ?? (path.startsWith('examples/') ? 'examples' : undefined)

function importsOf({ path, text }: { path: string; text: string }): string[] {
  const found = [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)[^'"\n;]*?from\s+'([^']+)'|import\('([^']+)'\)|(?:^|\n)import\s+'([^']+)'/g,
    ),
  ]
  const multiline = [...text.matchAll(/\}\s+from\s+'([^']+)'/g)]
  return [...found.map((match) => match[1] ?? match[2] ?? match[3] ?? ''), ...multiline.map((match) => match[1]!)].map(
    (name) => (name.startsWith('.') ? relative(root, resolve(root, dirname(path), name)) : name),
  )
}

const mayImport: Record<string, string[]> = {
  tenancy: [],
  kernel: ['tenancy'],
  identity: ['kernel', 'tenancy'],
  gateway: ['kernel'],
  cli: ['tenancy', 'kernel', 'identity', 'gateway'],
  examples: ['tenancy'],
}

test('packages import only along tenancy <- kernel <- identity, gateway <- cli; examples use tenancy alone', () => {
  const broken = sources.flatMap((source) => {
    const own = packageOf(source.path)
    if (!own) return []
    return importsOf(source)
      .map((name) => ({ name, target: /^@tenantry\/([a-z-]+)/.exec(name)?.[1] ?? packageOf(name) }))
      .filter(({ target }) => target !== undefined && target !== own && !mayImport[own]?.includes(target))
      .map(({ name }) => `${source.path} imports ${name}`)
  })
  assert.deepEqual(broken, [])
})

test('resources import neither oauth nor login: a noun knows nothing of flows', () => {
  const broken = sources
    .filter(({ path }) => path.startsWith('packages/identity/src/resources/') && !isTest(path))
    .flatMap((source) =>
      importsOf(source)
        .filter((name) => /^packages\/identity\/src\/(oauth|login)\//.test(name))
        .map((name) => `${source.path} imports ${name}`),
    )
  assert.deepEqual(broken, [])
})

test('upstream, actions and delivery are leaves: they import no resource, protocol or page', () => {
  const broken = sources
    .filter(({ path }) => /^packages\/identity\/src\/(upstream|actions|delivery)\//.test(path) && !isTest(path))
    .flatMap((source) =>
      importsOf(source)
        .filter((name) =>
          /^packages\/identity\/src\/(resources\/(?!management-api)|oauth|login\/(?!branding))/.test(name),
        )
        .map((name) => `${source.path} imports ${name}`),
    )
  assert.deepEqual(broken, [])
})

test('a slice uses another slice’s store, rules or schema, never its routes', () => {
  const broken = sources
    .filter(({ path }) => path.startsWith('packages/identity/src/resources/') && !isTest(path))
    .flatMap((source) =>
      importsOf(source)
        .filter((name) => name.endsWith('/routes.ts'))
        .map((name) => `${source.path} imports ${name}`),
    )
  assert.deepEqual(broken, [])
})

test('SQL stands in store.ts files and migrations, in the database’s own folder and in the tenancy kit', () => {
  const sql = /\b(select|insert into|update|delete from)\b[^`]{0,400}\b(from|set|values|where|into)\b/i
  const allowed = (path: string) =>
    /(^|\/)([a-z-]+-)?store\.ts$/.test(path) ||
    path.startsWith('packages/kernel/src/database/') ||
    path.startsWith('packages/tenancy/src/') ||
    isTest(path)
  const broken = sources
    .filter(({ path }) => path.startsWith('packages/') && !allowed(path))
    .filter(({ text }) =>
      [...text.matchAll(/(?:tx|sql|connection)(?:<[^`]*?>)?`([^`]*)`/g)].some((match) => sql.test(match[1]!)),
    )
    .map(({ path }) => path)
  assert.deepEqual(broken, [])
})

test('N233 the door across environments is opened by these alone, each time for a reason that stands there', () => {
  const doors = [
    'packages/gateway/src/control-plane/access-keys/access-keys.ts',
    'packages/gateway/src/control-plane/domain-names/operations.ts',
    'packages/gateway/src/control-plane/publish.ts',
    'packages/gateway/src/limits/store.ts',
    'packages/identity/src/delivery/log-streams/worker.ts',
    'packages/identity/src/delivery/worker.ts',
    'packages/identity/src/environments/environment.ts',
    'packages/identity/src/environments/seed.ts',
    'packages/identity/src/oauth/backchannel-logout/worker.ts',
    'packages/identity/src/resources/jobs/worker.ts',
    'packages/identity/src/upkeep/key-rotation.ts',
    'packages/identity/src/upkeep/upkeep.ts',
  ]
  const opened = sources
    .filter(({ path }) => !isTest(path) && !path.startsWith('bench/') && !path.startsWith('packages/kernel/'))
    .filter(({ text }) => text.includes('acrossEnvironments'))
  assert.deepEqual(opened.map(({ path }) => path).sort(), doors)
  const unreasoned = opened.flatMap(({ path, text }) =>
    [...text.matchAll(/\.acrossEnvironments\(\s*(\S+)/g)]
      .filter(([, first]) => !/^('[^']|reason,)/.test(first!))
      .map(([call]) => `${path}: ${call}`),
  )
  assert.deepEqual(unreasoned, [])
})

test('process.env is read by the command line, the scripts and executables of examples alone', () => {
  const allowed = (path: string) =>
    path.startsWith('packages/cli/') ||
    path.startsWith('scripts/') ||
    path.startsWith('bench/') ||
    isTest(path) ||
    /^examples\/[^/]+\/(src\/(main|lambda\/handlers)\.ts|(app|migrate)\.mjs)$/.test(path)
  const broken = sources.filter(({ path, text }) => !allowed(path) && /process\.env/.test(text)).map(({ path }) => path)
  assert.deepEqual(broken, [])
})

test('the time comes from a clock: Date.now() and new Date() stand in clock.ts alone', () => {
  const allowed = (path: string) =>
    path.endsWith('kernel/src/clock.ts') ||
    isTest(path) ||
    /^(bench|scripts)\//.test(path) ||
    // The published kit knows no clock of ours; it takes `now` and falls back to the system's.
    path === 'packages/tenancy/src/clock.ts' ||
    path.startsWith('examples/')
  const broken = sources
    .filter(
      ({ path, text }) =>
        !allowed(path) && /Date\.now\(\)|new Date\(\)/.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')),
    )
    .map(({ path }) => path)
  assert.deepEqual(broken, [])
})

test('no file or folder has a name that says nothing', () => {
  const vague = new Set([
    'utils',
    'util',
    'helpers',
    'helper',
    'common',
    'misc',
    'lib',
    'types',
    'service',
    'manager',
    'shared',
  ])
  const broken = files.filter((path) =>
    path.split('/').some((part) => vague.has(part.replace(/\.(test\.)?(ts|mjs|js)$/, ''))),
  )
  assert.deepEqual(broken, [])
})

test('no source and no test file is longer than 400 lines', () => {
  const broken = sources
    .map(({ path, text }) => ({ path, lines: text.split('\n').length }))
    .filter(({ lines }) => lines > 400)
  assert.deepEqual(broken, [])
})

test('the kernel stays small: at most 1,500 lines without the supervisor of the embedded database and tests', () => {
  const lines = sources
    .filter(({ path }) => path.startsWith('packages/kernel/') && !isTest(path) && !path.includes('/embedded'))
    .reduce((sum, { text }) => sum + text.split('\n').length, 0)
  assert.ok(lines <= 1500, `the kernel has ${lines} lines`)
})
