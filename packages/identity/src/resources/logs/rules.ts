import { defineProblems } from '@tenantry/kernel/problem.ts'
import { present } from '../wire.ts'
import type { StoredLog } from './store.ts'

export const problems = defineProblems({
  inexistent_log: { status: 404, title: 'The log does not exist.' },
})

/** Fixed length, digits only, in the order of time, as tools expect that continue after an id. */
export const logIdOf = (position: string): string => `900${position.padStart(19, '0')}`

/** @returns undefined for an id that was never given out */
export const positionOf = (logId: string): string | undefined =>
  /^900(\d{19})$/.exec(logId)?.[1]?.replace(/^0+(?=\d)/, '')

const MOBILE = /Mobi|Android|iPhone|iPad/

/** An entry as the API and log streams show it. */
export function shown({ position, details, ...row }: StoredLog) {
  const id = logIdOf(position)
  return {
    _id: id,
    log_id: id,
    ...present(row),
    isMobile: MOBILE.test(row.user_agent ?? ''),
    ...(details ? { details: details as Record<string, unknown> } : {}),
  }
}
