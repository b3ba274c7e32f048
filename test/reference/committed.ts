/** Reference files are generated and committed: a test compares, and `npm run reference` writes. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../docs/reference')

export function assertCommitted(file: string, text: string): void {
  const path = join(root, file)
  if (process.env.TENANTRY_WRITE_REFERENCE) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    return
  }
  assert.ok(
    readCommitted(file) === text,
    `docs/reference/${file} is not what the code says now. Run: npm run reference`,
  )
}

export function readCommitted(file: string): string {
  try {
    return readFileSync(join(root, file), 'utf8')
  } catch {
    return ''
  }
}
