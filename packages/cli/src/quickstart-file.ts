import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Quickstart } from './quickstart.ts'

/** Where everything is, for scripts and for the sample. It holds a client secret, so only its owner may read it. */
export function writeQuickstart(file: string, quickstart: object): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(quickstart, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** What an earlier start wrote. A file that is not there or cannot be read says nothing; it is written anew anyway. */
export function readQuickstart(file: string): Partial<Quickstart> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<Quickstart>
  } catch {
    return {}
  }
}
