import type { Tx } from '@tenantry/kernel/database/database.ts'

export interface DailyRow {
  date: Date
  logins: number
  signups: number
  leaked_passwords: number
  updated_at: Date
}

export async function activeSince(tx: Tx, since: Date): Promise<number> {
  const [row] = await tx<{ users: number }[]>`select count(*)::int as users from users where last_login >= ${since}`
  return row!.users
}

/** At most a year, oldest first. */
export const daily = (tx: Tx, from: Date, to: Date): Promise<DailyRow[]> =>
  tx<DailyRow[]>`
    select date::timestamp at time zone 'UTC' as date, logins, signups, leaked_passwords, updated_at
    from daily_stats
    where date between ${from}::date and ${to}::date order by daily_stats.date limit 366`
