/**
 * The role that requests run as. Row-level security binds it only if it owns nothing, is no superuser, has no
 * BYPASSRLS and cannot become such a role; a server whose role is otherwise does not start.
 */
import type { Sql } from 'postgres'
import { defineProblems } from '../problem.ts'

export const problems = defineProblems({
  application_role_unsafe: {
    status: 500,
    title:
      'The database role {role} {reason}, so row-level security would not hold it. Use a role of its own for the application, made with: create role … login nosuperuser nobypassrls.',
  },
})

interface Standing {
  role: string
  superuser: boolean
  bypasses: boolean
  master: string | null
  owned: string | null
}

/** Asks over a connection of that role itself. @throws application_role_unsafe when no policy would bind it. */
export async function verifyApplication(sql: Sql): Promise<void> {
  const [standing] = await sql<Standing[]>`
    select r.rolname as role, r.rolsuper as superuser, r.rolbypassrls as bypasses,
      (select m.rolname from pg_roles m
        where m.oid <> r.oid and pg_has_role(r.oid, m.oid, 'MEMBER')
          and (m.rolsuper or m.rolbypassrls or m.oid = d.datdba
            or exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                        where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
                          and c.relkind in ('r', 'p') and c.relowner = m.oid))
        limit 1) as master,
      coalesce(
        (select 'the database ' || d.datname where d.datdba = r.oid),
        (select 'the table ' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
            and c.relkind in ('r', 'p') and c.relowner = r.oid limit 1)
      ) as owned
    from pg_roles r, pg_database d
    where r.rolname = current_user and d.datname = current_database()`
  const { role, superuser, bypasses, master, owned } = standing!
  const reason = superuser
    ? 'is a superuser'
    : bypasses
      ? 'has BYPASSRLS'
      : owned
        ? `owns ${owned}`
        : master && `may act as ${master}`
  if (reason) throw problems.application_role_unsafe({ facts: { role, reason } })
}

/**
 * What the application may do: rows, nothing else. TRUNCATE and REFERENCES are not subject to row-level security, so
 * they are taken away should anybody have given them. Run as the owner after each migration.
 */
export async function grantApplication(sql: Sql, role: string, schema = 'public'): Promise<void> {
  const name = sql(role)
  const here = sql(schema)
  const record = `${schema}.tenantry_migrations`
  await sql.begin(async (tx) => {
    await tx`grant usage on schema ${here} to ${name}`
    await tx`revoke all on all tables in schema ${here} from ${name}`
    await tx`grant select, insert, update, delete on all tables in schema ${here} to ${name}`
    await tx`grant usage, select on all sequences in schema ${here} to ${name}`
    await tx`alter default privileges in schema ${here} grant select, insert, update, delete on tables to ${name}`
    await tx`alter default privileges in schema ${here} grant usage, select on sequences to ${name}`
    if ((await tx`select to_regclass(${record}) as found`)[0]?.found) {
      await tx`revoke all on ${sql(record)} from ${name}`
    }
  })
}
