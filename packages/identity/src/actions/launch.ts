import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { actionProblems } from './problems.ts'

/** The uid and gid "nobody" and "nogroup" of the systems we know; no account needs to exist for a number. */
const UNPRIVILEGED = 65534

export interface Launch {
  command: string
  args: string[]
  uid?: number
  gid?: number
  /** Why the process keeps the server's own uid, when it could have dropped it. */
  warning?: string
}

/** Refuses engines with a known way out of the isolate. */
export function requireSafeEngine(version: string): void {
  const match = /^(\d+)\.(\d+)\.(\d+)$/.exec(version)
  const [major = 0, minor = 0, patch = 0] = match ? match.slice(1).map(Number) : []
  // A pre-release has no plain x.y.z and counts as unsafe, too.
  const safe = match !== null && (major > 7 || (major === 7 && (minor > 0 || patch >= 1)))
  if (!safe) throw actionProblems.engine_vulnerable({ facts: { version } })
}

/**
 * How a runner process is started: Node's permission model with only the files that it must load, no way to make code
 * from strings, and the unprivileged uid when the server runs as root and that uid can reach the files.
 */
export function planLaunch(uid: number | undefined = process.getuid?.()): Launch {
  const main = realpathSync(fileURLToPath(new URL('./runner/main.ts', import.meta.url)))
  const require = createRequire(import.meta.url)
  const engine = packageFolder(require.resolve('isolated-vm'))
  const loader = packageFolder(createRequire(join(engine, 'package.json')).resolve('node-gyp-build'))
  const { version } = JSON.parse(readFileSync(join(engine, 'package.json'), 'utf8')) as { version: string }
  requireSafeEngine(version)
  const readable = [dirname(main), join(packageFolder(main), 'package.json'), engine, loader]
  // The engine's loader looks for this file to choose between glibc and musl.
  const probes = ['/etc/alpine-release']
  const args = [
    '--permission',
    // The engine is a native add-on. Node warns that this can void the permission model: it is a fence, not the wall.
    '--allow-addons',
    ...[...readable, ...probes].map((path) => `--allow-fs-read=${path}`),
    '--no-node-snapshot', // a requirement of isolated-vm
    '--disallow-code-generation-from-strings',
    '--disable-warning=SecurityWarning',
    main,
  ]
  const launch: Launch = { command: process.execPath, args }
  if (uid !== 0) return launch
  const blocked = [process.execPath, ...readable].find((path) => !reachableByOthers(path))
  if (blocked) {
    return { ...launch, warning: `runner processes keep uid 0, because uid ${UNPRIVILEGED} cannot read ${blocked}` }
  }
  return { ...launch, uid: UNPRIVILEGED, gid: UNPRIVILEGED }
}

function packageFolder(file: string): string {
  let folder = dirname(realpathSync(file))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

/** Whether "others" may read the file and enter every folder above it. */
function reachableByOthers(path: string): boolean {
  const stat = statSync(path)
  const own = stat.isDirectory() ? 0o005 : 0o004
  if ((stat.mode & own) !== own) return false
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false
    if (folder === dirname(folder)) return true
  }
}
