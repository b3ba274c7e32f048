/**
 * One process per directory. The lock is the operating system's own (a byte-range lock, taken through SQLite, because
 * Node has no flock): it ends with the process however that dies, so there is no stale lock file to judge and no
 * process id that might by now belong to somebody else. The id is written beside it for the message alone.
 */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { problems } from './problems.ts'

/** @throws embedded_locked when another process holds the directory. */
export function lockDirectory(directory: string): { release(): void } {
  const pidFile = join(directory, 'lock.pid')
  const lockFile = join(directory, 'lock')
  // Private: whoever may open the file could hold a lock on it for ever.
  closeSync(openSync(lockFile, 'a', 0o600))
  const lock = new DatabaseSync(lockFile)
  try {
    lock.exec('pragma busy_timeout = 0; begin exclusive')
  } catch (cause) {
    lock.close()
    throw problems.embedded_locked({ facts: { directory, pid: holder(pidFile) }, cause })
  }
  writeFileSync(pidFile, `${process.pid}\n`)
  return { release: () => lock.close() }
}

function holder(pidFile: string): string {
  try {
    return readFileSync(pidFile, 'utf8').trim()
  } catch {
    return '(unknown)'
  }
}
