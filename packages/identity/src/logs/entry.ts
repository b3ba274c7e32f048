/** An entry as the API and log streams show it. */
import type { LogRow } from './store.ts'

export interface StoredLog extends Omit<LogRow, 'date'> {
  date: Date
  position: string
}

/** Columns of a stored entry, for any query. */
export const LOG_COLUMNS = [
  'date',
  'type',
  'description',
  'connection',
  'connection_id',
  'client_id',
  'client_name',
  'ip',
  'user_agent',
  'hostname',
  'user_id',
  'user_name',
  'strategy',
  'strategy_type',
  'audience',
  'scope',
  'organization_id',
  'organization_name',
  'details',
] as const

/** Fixed length, digits only, in the order of time, as tools expect that continue after an id. */
export const logIdOf = (position: string): string => `900${position.padStart(19, '0')}`

/** @returns undefined for an id that was never given out */
export const positionOf = (logId: string): string | undefined =>
  /^900(\d{19})$/.exec(logId)?.[1]?.replace(/^0+(?=\d)/, '')

const MOBILE = /Mobi|Android|iPhone|iPad/

/** What was not known is absent. */
export function shownLog({ position, details, ...row }: StoredLog) {
  const id = logIdOf(position)
  const known = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))
  return {
    _id: id,
    log_id: id,
    ...(known as Partial<{ [Name in keyof typeof row]: Exclude<(typeof row)[Name], null> }>),
    isMobile: MOBILE.test(row.user_agent ?? ''),
    ...(details ? { details: details as Record<string, unknown> } : {}),
  }
}
