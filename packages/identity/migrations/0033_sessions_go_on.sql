-- Who signs in again in the same browser goes on in the same session, so no session's clients move to another one.

create or replace function note_sign_out() returns trigger language plpgsql as $$
declare
  why text := coalesce(nullif(current_setting('tenantry.sign_out', true), ''), 'session-revoked');
begin
  insert into logout_notices (environment_id, id, client_id, user_id, sid, issuer, initiator, session_metadata)
    select t.environment_id, gen_random_uuid()::text, t.client_id, old.user_id, t.sid, t.issuer, why, old.session_metadata
    from session_clients t
    join environments e on e.id = t.environment_id -- gone with everything else: nobody is told
    join clients c on c.environment_id = t.environment_id and c.client_id = t.client_id
    where t.environment_id = old.environment_id and t.session_id = old.id
      and c.oidc_logout->'backchannel_logout_urls'->>0 is not null
      and (why in ('rp-logout', 'idp-logout')
        or c.oidc_logout->'backchannel_logout_initiators'->>'mode' = 'all'
        or c.oidc_logout->'backchannel_logout_initiators'->'selected_initiators' ? why);
  return old;
end $$;
