/** Passwords that are known from leaks: whether one may be used, by the settings of the environment, and who is told. */
import type { LogEntry, TenantLog } from '../../logs/tenant-log.ts'
import type { BreachedPasswords } from '../../upstream/database/breached.ts'
import type { Notices } from './notices.ts'
import type { ReadAttackProtection } from './settings.ts'

export type LeakStage = 'login' | 'pre-user-registration' | 'pre-change-password'

/** @returns whether the password is refused; that it was met stands in the log either way */
export type RefuseLeaked = (
  environmentId: string,
  stage: LeakStage,
  plain: string,
  about: Partial<LogEntry>,
) => Promise<boolean>

const LOGGED = {
  login: 'pwd_leak',
  'pre-user-registration': 'signup_pwd_leak',
  'pre-change-password': 'reset_pwd_leak',
} as const

export const createLeakCheck =
  (deps: {
    breachedPasswords: BreachedPasswords | undefined
    attackProtection: ReadAttackProtection
    tenantLog: Pick<TenantLog, 'add'>
    notices: Notices
  }): RefuseLeaked =>
  async (environmentId, stage, plain, about) => {
    if (!deps.breachedPasswords) return false
    const { breachedPasswords: settings } = await deps.attackProtection(environmentId)
    const shields = stage === 'login' ? settings.shields : settings.stage[stage].shields
    if (!settings.enabled || shields.length === 0 || !(await deps.breachedPasswords.holds(plain))) return false
    deps.tenantLog.add(environmentId, { ...about, type: LOGGED[stage] })
    const frequency = settings.admin_notification_frequency
    deps.notices.passwordLeaked(environmentId, { shields, frequency, userId: about.user_id ?? null })
    return shields.includes('block')
  }
