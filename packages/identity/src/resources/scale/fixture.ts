/** Many rows of everything that grows, in one environment, written by the statements of a loader. */
import type { Sql } from 'postgres'

export const SCALE = {
  organization: 'org_scale0000000000',
  user: 'auth0|scale0',
  role: 'rol_scale0000000000',
  connection: 'con_scale0000000000',
  client: 'scale000000000000000000000000000',
  clientGrant: 'cgr_scale0000000000',
}
const USERS = 20_000

export async function loadScale(sql: Sql, environmentId: string): Promise<void> {
  const { organization, user, role, connection, client, clientGrant } = SCALE
  await sql.begin(async (tx) => {
    await tx`select set_config('tenantry.environment_id', ${environmentId}, true)`
    await tx`insert into connections (environment_id, id, name, strategy, options)
      select ${environmentId}, ${connection}, 'scale', 'auth0',
        '{"passwordPolicy": "good", "disable_signup": true, "brute_force_protection": true}'`
    await tx`insert into users (environment_id, user_id, connection_id, email, name, nickname, app_metadata, created_at,
        last_login)
      select ${environmentId}, 'auth0|scale' || n, ${connection}, 'person' || n || '@example.test', 'Person ' || n,
        'person' || n, case when n = 777 then '{"rare": "yes"}' else '{"plan": "basic"}' end::jsonb,
        timestamptz '2026-01-01' + n * interval '1 second', now() - n * interval '1 minute'
      from generate_series(0, ${USERS - 1}) n`
    await tx`insert into organizations (environment_id, organization_id, name, display_name, created_at)
      select ${environmentId}, case n when 0 then ${organization} else 'org_' || left(md5('o' || n), 16) end,
        'scale-' || n, 'Scale ' || n, timestamptz '2026-01-01' + n * interval '1 second'
      from generate_series(0, 4999) n`
    await tx`insert into members (environment_id, organization_id, user_id)
      select ${environmentId}, ${organization}, 'auth0|scale' || n from generate_series(0, ${USERS - 1}) n`
    await tx`insert into members (environment_id, organization_id, user_id)
      select environment_id, organization_id, ${user} from organizations
      where environment_id = ${environmentId} and organization_id <> ${organization} order by 2 limit 500`
    await tx`insert into roles (environment_id, id, name)
      select ${environmentId}, case n when 0 then ${role} else 'rol_' || left(md5('r' || n), 16) end, 'Scale ' || n
      from generate_series(0, 1999) n`
    await tx`insert into user_roles (environment_id, user_id, role_id)
      select ${environmentId}, 'auth0|scale' || n, ${role} from generate_series(0, ${USERS - 1}) n`
    await tx`insert into clients (environment_id, client_id, name, app_type, grant_types, token_endpoint_auth_method, created_at)
      select ${environmentId}, case n when 0 then ${client} else left(md5('c' || n), 32) end, 'Scale ' || n, 'spa',
        array['authorization_code'], 'none', timestamptz '2026-01-01' + n * interval '1 second'
      from generate_series(0, 4999) n`
    await tx`insert into connection_clients (environment_id, connection_id, client_id)
      select environment_id, ${connection}, client_id from clients
      where environment_id = ${environmentId} and app_type = 'spa' order by client_id limit 500`
    await tx`insert into resource_servers (environment_id, id, identifier)
      select ${environmentId}, left(md5('s' || n), 24), 'urn:scale:' || n from generate_series(0, 4999) n`
    await tx`insert into client_grants (environment_id, id, client_id, audience)
      select ${environmentId}, case n when 0 then ${clientGrant} else 'cgr_' || left(md5('g' || n), 16) end, ${client},
        'urn:scale:' || n from generate_series(0, 4999) n`
    await tx`insert into organization_client_grants (environment_id, organization_id, grant_id)
      select environment_id, organization_id, ${clientGrant} from organizations where environment_id = ${environmentId}`
    await tx`insert into invitations (environment_id, id, organization_id, ticket_hash, ticket, inviter, invitee, client_id,
        created_at, expires_at)
      select ${environmentId}, 'uinv_' || left(md5('i' || n), 16), ${organization}, decode(md5('t' || n), 'hex'), ''::bytea,
        '{"name": "Anna"}', jsonb_build_object('email', 'guest' || n || '@example.test'), ${client},
        timestamptz '2026-01-01' + n * interval '1 second', now() + interval '1 day'
      from generate_series(0, 4999) n`
    await tx`insert into sessions (environment_id, id, handle_hash, user_id, auth_time, amr, created_at, last_seen,
        idle_expires_at, expires_at)
      select ${environmentId}, 'scale' || n, decode(md5('h' || n), 'hex'), ${user}, now(), '{pwd}', now(), now(),
        now() + interval '1 day', now() + interval '1 day'
      from generate_series(0, 4999) n`
    await tx`insert into session_clients (environment_id, session_id, client_id, sid, issuer)
      select ${environmentId}, 'scale' || n, ${client}, 'scale' || n, 'x' from generate_series(0, 4999) n`
    // Each for an API of its own: those for the same one are shown together, and read together.
    await tx`insert into grants (environment_id, id, user_id, client_id, audience, scope, auth_time, amr, created_at)
      select ${environmentId}, 'scale' || n, ${user}, ${client}, 'urn:scale:' || n, '{openid}', now(), '{pwd}', now()
      from generate_series(0, 4999) n`
    await tx`insert into refresh_tokens (environment_id, id, token_hash, grant_id, rotating, issuer, created_at)
      select ${environmentId}, 'scale' || n, decode(md5('r' || n), 'hex'), 'scale' || n, true, 'x', now()
      from generate_series(0, 4999) n`
    await tx`insert into log_counters (environment_id, last) values (${environmentId}, ${USERS})`
    await tx`insert into logs (environment_id, position, date, type, user_id)
      select ${environmentId}, n, timestamptz '2026-01-01' + n * interval '1 second', 's', 'auth0|scale' || (n % 100)
      from generate_series(1, ${USERS}) n`
  })
  await sql`analyze`
}
