/**
 * Where the embedded PostgreSQL lives and as whom it runs.
 *
 * PostgreSQL refuses to run as root. Started by root it runs as the owner of its data, at first 65534 (`nobody`), which
 * every system has. That user often cannot pass through the folders above (`/root` is 0700): then the data lives under
 * /var/lib/tenantry, and the directory that was asked for keeps the passwords and a note of the place. The note wins
 * over any later judgement, so a chmod somewhere above never makes a database seem to vanish.
 */
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Binaries, copyBinaries } from './binaries.ts'
import { problems } from './problems.ts'

/** Undefined: as the user that runs this process. */
export type Account = { uid: number; gid: number } | undefined

export interface Place {
  /** Holds `data`, `socket` and the log. */
  base: string
  data: string
  log: string
  account: Account
  binaries: Binaries
}

const UNPRIVILEGED = 65534
const SYSTEM_PLACE = '/var/lib/tenantry'
/** sun_path holds 108 bytes on Linux and 104 on macOS; the name of PostgreSQL's socket and its lock file take 22. */
const LONGEST_SOCKET_DIRECTORY = 80

/** Chooses the place, or finds the one that was chosen before. Needs the lock of the directory. */
export function findPlace(directory: string, found: Binaries, systemPlace = SYSTEM_PLACE): Place {
  const note = join(directory, 'place')
  let base = existsSync(note) ? readFileSync(note, 'utf8').trim() : directory
  if (process.getuid?.() !== 0) return place(base, undefined, found)

  const data = join(base, 'data')
  const owner = existsSync(data) ? statSync(data) : { uid: 0, gid: 0 }
  const account = owner.uid === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : { uid: owner.uid, gid: owner.gid }
  if (!canReach(account, base)) {
    if (existsSync(data)) throw problems.embedded_unreachable({ facts: { data, uid: account.uid } })
    base = makeSystemPlace(directory, systemPlace)
    writeFileSync(note, `${base}\n`)
  }
  const reachable = canReach(account, join(found.root, 'bin', 'postgres'))
  return place(base, account, reachable ? found : copyBinaries(found, openDirectory(systemPlace)))
}

const place = (base: string, account: Account, binaries: Binaries): Place => ({
  base,
  data: join(base, 'data'),
  log: join(base, 'postgresql.log'),
  account,
  binaries,
})

/**
 * The random part keeps a directory that was deleted and made anew from finding its former data, whose passwords and
 * keys went with the old directory.
 */
function makeSystemPlace(directory: string, systemPlace: string): string {
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 8)
  const base = join(openDirectory(systemPlace), `${hash}-${randomBytes(3).toString('hex')}`)
  openDirectory(base)
  writeFileSync(join(base, 'belongs-to'), `${directory}\n`)
  return base
}

/** Others may pass through; what is inside guards itself. */
function openDirectory(path: string): string {
  mkdirSync(path, { recursive: true })
  chmodSync(path, 0o711)
  return path
}

/** Asks the system as that user, since mode bits alone do not tell (access lists, mounts). */
function canReach({ uid, gid }: { uid: number; gid: number }, path: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', path], { uid, gid, env: {}, cwd: '/' }).status === 0
}

/** Makes a directory that only PostgreSQL's account may enter. */
export function makePrivate(path: string, account: Account): string {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  chmodSync(path, 0o700)
  if (account) chownSync(path, account.uid, account.gid)
  return path
}

const TEMPORARY = 'tenantry-socket-'

/** A fresh, empty directory for the socket, beside the data or, where that path is too long, under /tmp. */
export function makeSocketDirectory({ base, account }: Place): string {
  const beside = join(base, 'socket')
  if (Buffer.byteLength(beside) <= LONGEST_SOCKET_DIRECTORY) {
    rmSync(beside, { recursive: true, force: true })
    return makePrivate(beside, account)
  }
  return makePrivate(mkdtempSync(join('/tmp', TEMPORARY)), account)
}

/** Removes a socket directory under /tmp; the one beside the data stays. */
export function removeSocketDirectory(path: string): void {
  if (dirname(path) === '/tmp' && basename(path).startsWith(TEMPORARY)) rmSync(path, { recursive: true, force: true })
}
