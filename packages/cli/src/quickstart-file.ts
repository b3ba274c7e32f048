import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where everything is, for scripts and for the sample. It holds a client secret, so only its owner may read it. */
export function writeQuickstart(directory: string, quickstart: object): string {
  const file = join(directory, 'quickstart.json')
  writeFileSync(`${file}.new`, `${JSON.stringify(quickstart, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return file
}
