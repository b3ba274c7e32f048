/** What a new password is asked, wherever one is chosen: what its text tells, and whether the person had it before. */
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { LogEntry } from '../../../logs/tenant-log.ts'
import { verifyPassword } from '../../../upstream/database/password.ts'
import {
  checkPassword,
  demandsOf,
  type PasswordOptions,
  type Person,
  type Violation,
} from '../../../upstream/database/policy.ts'
import type { RefuseLeaked } from '../../attack-protection/leaks.ts'
import * as store from './store.ts'

export interface NewPassword {
  environmentId: string
  /** Of the connection. */
  options: PasswordOptions
  plain: string
  person: Person
  /** Whose password is replaced; undefined for somebody new. */
  userId?: string | undefined
  /** Of them, if it is that of a linked identity. */
  linked?: store.Linked | undefined
  /** Where people choose for themselves: what the log says when it is known from a leak. */
  about?: Partial<LogEntry> | undefined
}

const USED_BEFORE: Violation = {
  name: 'password-used-before',
  code: 'history',
  text: 'You had this password before. Choose one that you did not have lately.',
}

const LEAKED: Violation = {
  name: 'password-leaked',
  code: 'leaked',
  text: 'This password is known from a leak of another service. Choose another one.',
}

/** @returns why it may not be used, or undefined */
export async function refusalOfPassword(
  { database, refuseLeaked }: { database: Database; refuseLeaked?: RefuseLeaked },
  asked: NewPassword,
): Promise<Violation | undefined> {
  const { environmentId, options, plain, person, userId, linked, about } = asked
  const violation = checkPassword(options, plain, person)
  if (violation) return violation
  const stage = userId === undefined ? 'pre-user-registration' : 'pre-change-password'
  if (about && (await refuseLeaked?.(environmentId, stage, plain, about))) return LEAKED
  if (userId === undefined) return undefined
  const { history } = demandsOf(options)
  if (history === 0) return undefined
  const hashes = await database.inEnvironment(environmentId, (tx) => store.earlier(tx, userId, history, linked))
  // One after the other: a person changes a password rarely, and the processor is everybody's.
  for (const hash of hashes) if (await verifyPassword(hash, plain)) return USED_BEFORE
  return undefined
}
