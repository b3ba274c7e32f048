/** Fills one environment with users, organizations and members, by statements that make the rows where they belong. */
import type { Sql } from 'postgres'

export interface Size {
  users: number
  organizations: number
}

/** The organization whose members are listed has as many of them at every size. */
export const CROWD = 500

export async function load(sql: Sql, environmentId: string, { users, organizations }: Size): Promise<void> {
  await sql`
    insert into connections (environment_id, id, name, strategy) values (${environmentId}, 'con_load', 'load', 'auth0')`
  for (let from = 0; from < users; from += 50_000) {
    await sql`
      insert into users (environment_id, user_id, connection_id, email, email_verified, name, nickname, user_metadata,
        app_metadata, created_at, updated_at, last_login, logins_count)
      select ${environmentId}, 'auth0|' || md5(n::text), 'con_load', 'person' || n || '@example.test', true,
        'Person ' || n, 'person' || n, jsonb_build_object('theme', 'dark'),
        jsonb_build_object('plan', case n % 3 when 0 then 'pro' else 'basic' end),
        timestamptz '2026-01-01' + n * interval '1 second', now(), now() - (n % 90) * interval '1 day', n % 50
      from generate_series(${from}::int, ${Math.min(from + 50_000, users) - 1}::int) n`
  }
  await sql`
    insert into organizations (environment_id, organization_id, name, display_name, metadata, created_at)
    select ${environmentId}, 'org_' || left(md5('o' || n), 16), 'organization-' || n, 'Organization ' || n,
      jsonb_build_object('tenantId', md5('t' || n)), timestamptz '2026-01-01' + n * interval '1 second'
    from generate_series(0, ${organizations - 1}::int) n`
  await sql`
    insert into members (environment_id, organization_id, user_id)
    select ${environmentId}, 'org_' || left(md5('o' || (n % ${organizations})), 16), 'auth0|' || md5(n::text)
    from generate_series(0, ${users - 1}::int) n`
  await sql`
    insert into members (environment_id, organization_id, user_id)
    select ${environmentId}, 'org_' || left(md5('o0'), 16), 'auth0|' || md5(n::text)
    from generate_series(0, ${CROWD - 1}::int) n on conflict do nothing`
  await sql`vacuum analyze`
}
