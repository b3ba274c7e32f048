import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'

export interface LogRow {
  date: string
  type: string
  description: string | null
  connection: string | null
  connection_id: string | null
  client_id: string | null
  client_name: string | null
  ip: string | null
  user_agent: string | null
  hostname: string | null
  user_id: string | null
  user_name: string | null
  strategy: string | null
  strategy_type: string | null
  audience: string | null
  scope: string | null
  organization_id: string | null
  organization_name: string | null
  details: unknown
}

/**
 * One statement for any number of entries, which takes their positions as it writes them, and counts sign-ins and
 * sign-ups by day.
 */
export const append = (tx: Tx, environmentId: string, rows: readonly (Partial<LogRow> & { date: string })[]) => tx`
  with counter as (
    insert into log_counters as c (environment_id, last) values (${environmentId}, ${rows.length})
    on conflict (environment_id) do update set last = c.last + excluded.last
    returning last),
  entries as (
    select row_number() over () as number, e.* from jsonb_to_recordset(${tx.json(rows as unknown as JSONValue)}) as e (
      date timestamptz, type text, description text, connection text, connection_id text, client_id text,
      client_name text, ip text, user_agent text, hostname text, user_id text, user_name text, strategy text,
      strategy_type text, audience text, scope text, organization_id text, organization_name text, details jsonb)),
  counted as (
    insert into daily_stats as d (environment_id, date, logins, signups, leaked_passwords, updated_at)
    select ${environmentId}, (e.date at time zone 'UTC')::date, count(*) filter (where e.type = 's'),
      count(*) filter (where e.type = 'ss'), count(*) filter (where e.type like '%pwd_leak'), max(e.date)
    from entries e where e.type in ('s', 'ss', 'pwd_leak', 'signup_pwd_leak', 'reset_pwd_leak') group by 2
    on conflict (environment_id, date) do update set logins = d.logins + excluded.logins,
      signups = d.signups + excluded.signups, leaked_passwords = d.leaked_passwords + excluded.leaked_passwords,
      updated_at = excluded.updated_at)
  insert into logs (environment_id, position, date, type, description, connection, connection_id, client_id, client_name,
    ip, user_agent, hostname, user_id, user_name, strategy, strategy_type, audience, scope, organization_id,
    organization_name, details)
  select ${environmentId}, counter.last - ${rows.length} + e.number, e.date, e.type, e.description,
    e.connection, e.connection_id, e.client_id, e.client_name, e.ip, e.user_agent, e.hostname, e.user_id, e.user_name,
    e.strategy, e.strategy_type, e.audience, e.scope, e.organization_id, e.organization_name, e.details
  from counter, entries e`
