import { renameSync, writeFileSync } from 'node:fs'

/** Where everything is, for scripts and for the sample. It holds a client secret, so only its owner may read it. */
export function writeQuickstart(file: string, quickstart: object): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(quickstart, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
