import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineProblems } from '@tenantry/kernel/problem.ts'

export const problems = defineProblems({
  master_key_unusable: { status: 500, title: 'The master key in {file} cannot be used: {reason}.' },
})

/**
 * The key that seals secrets at rest: given, or kept in the data directory, readable by its owner alone. Whoever loses it
 * loses the signing keys and client secrets in the database.
 *
 * @throws Problem `master_key_unusable`
 */
export function keepMasterKey(directory: string, given: Buffer | undefined): Buffer {
  if (given) return given
  const file = join(directory, 'master.key')
  try {
    if (!existsSync(file)) {
      mkdirSync(directory, { recursive: true })
      writeFileSync(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' })
    }
    const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64')
    if (key.length !== 32) throw new Error('it does not hold 32 bytes in base64')
    return key
  } catch (cause) {
    throw problems.master_key_unusable({ facts: { file, reason: (cause as Error).message }, cause })
  }
}
