-- Which organization a sign-in is for, how long it lasts, and who is told when it ends.

-- Which organization --------------------------------------------------------------------------------------------------

alter table clients
  add column organization_discovery_methods text[],  -- email, organization_name; null: by name
  add column default_organization_id text,           -- what a machine means that names none
  add constraint clients_default_organization foreign key (environment_id, default_organization_id)
    references organizations on delete set null (default_organization_id),
  add column sso_disabled boolean not null default false, -- asks for a sign-in of its own, whatever the browser has
  add column oidc_logout jsonb;                      -- {backchannel_logout_urls?, backchannel_logout_initiators?, …}

-- A domain that was claimed before says nothing at the sign-in until somebody wants it to.
alter table organization_discovery_domains add column use_for_organization_discovery boolean not null default false;
alter table organization_discovery_domains alter column use_for_organization_discovery set default true;
call announce('organization_discovery_domains');

-- An organization that may not be used for now. Everything it has stays.
alter table organizations add column suspended_at timestamptz;

-- Who becomes a member by signing in through a connection: asked at each sign-in that names no organization.
create index organization_connections_joining on organization_connections (environment_id, connection_id)
  where assign_membership_on_login;

-- How long ------------------------------------------------------------------------------------------------------------

alter table sessions
  add column is_persistent boolean not null default true,  -- the cookie outlives the browser's window
  add column idle_seconds integer;                   -- as it was when the session began; null: as the settings say

-- Who is told ---------------------------------------------------------------------------------------------------------

-- The clients that were told of a session, and by what name. Their grants may be gone long before the session is.
create table session_clients (
  environment_id text not null references environments on delete cascade,
  session_id     text not null,
  client_id      text not null,
  sid            text not null,                      -- what the client knows: the session's id when it signed in there
  issuer         text not null,
  primary key (environment_id, session_id, client_id, sid, issuer),
  foreign key (environment_id, session_id) references sessions on delete cascade,
  foreign key (environment_id, client_id) references clients on delete cascade
);
create index session_clients_client on session_clients (environment_id, client_id);
call isolate('session_clients');
insert into session_clients (environment_id, session_id, client_id, sid, issuer)
  select distinct g.environment_id, g.session_id, g.client_id, g.session_id, c.issuer
  from grants g join sessions s on s.environment_id = g.environment_id and s.id = g.session_id
    join codes c on c.environment_id = g.environment_id and c.grant_id = g.id;

-- Logout tokens to be sent (OpenID Connect Back-Channel Logout 1.0). The row is the queue, and its id the token's jti: an
-- application that gets it twice can know.
create table logout_notices (
  environment_id   text not null references environments on delete cascade,
  id               text not null,
  client_id        text not null,
  user_id          text not null,                    -- who may be gone by now
  sid              text not null,
  issuer           text not null,
  initiator        text not null,
  session_metadata jsonb,
  attempts         integer not null default 0,
  created_at       timestamptz not null default now(),
  next_attempt_at  timestamptz not null default now(),
  primary key (environment_id, id),
  foreign key (environment_id, client_id) references clients on delete cascade
);
create index logout_notices_due on logout_notices (next_attempt_at);
create index logout_notices_client on logout_notices (environment_id, client_id);
call isolate('logout_notices');

create function announce_logout() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_logout', '');
  return null;
end $$;
create trigger announce after insert on logout_notices for each statement execute function announce_logout();

-- However a session ends, its clients hear of it: no way out can forget them. Why it ends is a setting of the transaction,
-- `tenantry.sign_out`: an initiator of Auth0's list, or `moved to {id}` when the same person signs in anew.
create function note_sign_out() returns trigger language plpgsql as $$
declare
  why text := coalesce(nullif(current_setting('tenantry.sign_out', true), ''), 'session-revoked');
begin
  if starts_with(why, 'moved to ') then
    insert into session_clients (environment_id, session_id, client_id, sid, issuer)
      select environment_id, substr(why, 10), client_id, sid, issuer from session_clients
      where environment_id = old.environment_id and session_id = old.id
      on conflict do nothing;
    return old;
  end if;
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
create trigger note_sign_out before delete on sessions for each row execute function note_sign_out();
