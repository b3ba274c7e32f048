-- Foundation: environments and everything that lives inside one.
--
-- Rules of this schema
--   * Every table but `environments` starts its keys with environment_id, so that no constraint can be used to learn
--     whether another environment has a row, and every lookup stays inside one environment's part of the index.
--   * Row-level security is enabled AND forced on every table; see isolate() below. The application's role owns nothing.
--   * Wire members keep their published snake_case names; a row needs no mapper.
--   * Handles (codes, tokens, tickets, cookies) are stored as SHA-256 hashes, secrets sealed with AES-256-GCM.

-- Policies ----------------------------------------------------------------------------------------------------------

-- The scope of the running transaction. '' (what a setting reads after its transaction) and NULL both mean: no rows.
create function scope_environment() returns text language sql stable
  as $$ select nullif(current_setting('tenantry.environment_id', true), '') $$;
create function scope_organization() returns text language sql stable
  as $$ select nullif(current_setting('tenantry.organization_id', true), '') $$;

-- Puts a table under the environment's policy and, if it has organization_id, under the organization's when a
-- transaction is scoped to one.
create procedure isolate(tbl regclass) language plpgsql as $$
declare
  condition text := 'environment_id = scope_environment()';
begin
  if exists (select from pg_attribute where attrelid = tbl and attname = 'organization_id' and not attisdropped) then
    condition := condition || ' and (scope_organization() is null or organization_id = scope_organization())';
  end if;
  execute format('alter table %s enable row level security', tbl);
  execute format('alter table %s force row level security', tbl);
  execute format('create policy environment on %s using (%s) with check (%s)', tbl, condition, condition);
  -- The owner is forced under policies too; its own is the door across environments (kernel/database).
  execute format('create policy across on %s to current_user using (true) with check (true)', tbl);
end $$;

-- Tells every process that an environment's configuration changed, so that caches forget it. The channel carries an
-- environment's id and nothing else: channels are outside row-level security.
create function announce_change() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_changes', coalesce(scope_environment(), ''));
  return null;
end $$;
create procedure announce(tbl regclass) language plpgsql as $$
begin
  execute format('create trigger announce after insert or update or delete on %s
                  for each statement execute function announce_change()', tbl);
end $$;

-- Environments and their keys ---------------------------------------------------------------------------------------

create table environments (
  id          text primary key,                      -- env_…
  name        text not null,                         -- shown to operators; Auth0's "tenant name"
  origins     text[] not null,                       -- https://login.example.com: where it answers; each one is an issuer
  settings    jsonb not null default '{}',           -- tenant settings, see resources/tenant-settings
  created_at  timestamptz not null default now()
);
-- One origin belongs to one environment: the host of a request decides, so two owners would be a hole.
create table environment_origins (
  origin         text primary key,
  environment_id text not null references environments on delete cascade
);

create table signing_keys (
  environment_id text not null references environments on delete cascade,
  kid            text not null,
  state          text not null check (state in ('current', 'next', 'previous', 'revoked')),
  public_jwk     jsonb not null,                     -- n, e, alg, use
  certificate    text not null,                      -- base64 DER, self-signed; some clients read x5c
  private_key    bytea not null,                     -- sealed PKCS#8
  created_at     timestamptz not null default now(),
  primary key (environment_id, kid)
);
-- Exactly one key signs and one waits, whatever races there are.
create unique index signing_keys_state on signing_keys (environment_id, state) where state in ('current', 'next');

-- What may be asked for ---------------------------------------------------------------------------------------------

create table resource_servers (
  environment_id         text not null references environments on delete cascade,
  id                     text not null,              -- 24 hex digits
  identifier             text not null,              -- the audience; any text, URI or not
  name                   text,
  is_system              boolean not null default false, -- the Management API itself
  scopes                 jsonb not null default '[]',    -- [{value, description?}]
  signing_alg            text not null default 'RS256',
  allow_offline_access   boolean not null default false, -- without it no refresh token for this audience
  token_lifetime         integer not null default 86400, -- seconds
  token_lifetime_for_web integer not null default 7200,  -- seconds; for clients of type spa
  enforce_policies       boolean not null default false, -- RBAC: scope = asked ∩ the user's permissions
  token_dialect          text not null default 'access_token',
  skip_consent_for_verifiable_first_party_clients boolean not null default true,
  created_at             timestamptz not null default now(),
  updated_at             timestamptz not null default now(),
  primary key (environment_id, id),
  constraint resource_server_identifier unique (environment_id, identifier)
);

create table clients (
  environment_id                text not null references environments on delete cascade,
  client_id                     text not null,       -- 32 alphanumerics
  name                          text not null,
  description                   text,
  logo_uri                      text,
  app_type                      text,                -- spa, native, regular_web, non_interactive
  global                        boolean not null default false, -- Auth0's "All Applications"; exactly one
  is_first_party                boolean not null default true,
  oidc_conformant               boolean not null default true,
  callbacks                     text[] not null default '{}',   -- exact redirect URIs
  web_origins                   text[] not null default '{}',   -- may receive web_message answers, and CORS
  allowed_origins               text[] not null default '{}',   -- CORS
  allowed_logout_urls           text[] not null default '{}',
  initiate_login_uri            text,                -- invitation links lead here
  grant_types                   text[] not null,
  token_endpoint_auth_method    text not null,       -- none, client_secret_post, client_secret_basic
  client_secret                 bytea,               -- sealed; readable with read:client_keys
  jwt_configuration             jsonb not null default '{"alg":"RS256","lifetime_in_seconds":36000}',
  refresh_token                 jsonb,               -- rotation_type, expiration_type, leeway, lifetimes
  organization_usage            text not null default 'deny',
  organization_require_behavior text not null default 'no_prompt',
  client_metadata               jsonb not null default '{}',
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (environment_id, client_id)
);
create unique index clients_global on clients (environment_id) where global;

create table client_grants (
  environment_id         text not null references environments on delete cascade,
  id                     text not null,              -- cgr_…
  client_id              text not null,
  audience               text not null,
  scope                  text[] not null default '{}',
  allow_all_scopes       boolean not null default false,
  organization_usage     text not null default 'deny',
  allow_any_organization boolean not null default false,
  subject_type           text not null default 'client',
  created_at             timestamptz not null default now(),
  updated_at             timestamptz not null default now(),
  primary key (environment_id, id),
  foreign key (environment_id, client_id) references clients on delete cascade,
  foreign key (environment_id, audience) references resource_servers (environment_id, identifier) on update cascade on delete cascade,
  constraint client_grant_once unique (environment_id, client_id, audience, subject_type)
);

-- Sources of identities ---------------------------------------------------------------------------------------------

create table connections (
  environment_id       text not null references environments on delete cascade,
  id                   text not null,                -- con_…
  name                 text not null,                -- also the realm of the password grant
  display_name         text,
  strategy             text not null,                -- auth0 = database
  options              jsonb not null default '{}',  -- per strategy; a database's password policy
  metadata             jsonb not null default '{}',
  show_as_button       boolean not null default false,
  is_domain_connection boolean not null default false,
  created_at           timestamptz not null default now(),
  updated_at           timestamptz not null default now(),
  primary key (environment_id, id),
  constraint connection_name unique (environment_id, name)
);

-- Which clients may sign people in with a connection.
create table connection_clients (
  environment_id text not null references environments on delete cascade,
  connection_id  text not null,
  client_id      text not null,
  primary key (environment_id, connection_id, client_id),
  foreign key (environment_id, connection_id) references connections on delete cascade,
  foreign key (environment_id, client_id) references clients on delete cascade
);
create index connection_clients_client on connection_clients (environment_id, client_id);

create table users (
  environment_id       text not null references environments on delete cascade,
  user_id              text not null,                -- auth0|… : strategy and id
  connection_id        text not null,
  email                text,                         -- as typed, trimmed; compared in lower case
  email_verified       boolean not null default false,
  username             text,
  phone_number         text,
  phone_verified       boolean,
  name                 text,
  nickname             text,
  given_name           text,
  family_name          text,
  picture              text,
  user_metadata        jsonb not null default '{}',
  app_metadata         jsonb not null default '{}',
  blocked              boolean not null default false,
  password_hash        text,                         -- PHC string, Argon2id
  last_password_reset  timestamptz,
  last_login           timestamptz,
  last_ip              text,
  logins_count         integer not null default 0,
  created_at           timestamptz not null default now(),
  updated_at           timestamptz not null default now(),
  primary key (environment_id, user_id),
  foreign key (environment_id, connection_id) references connections on delete cascade
);
-- One address once per connection, in one defined normal form.
create unique index users_email on users (environment_id, connection_id, lower(email)) where email is not null;
create unique index users_username on users (environment_id, connection_id, lower(username)) where username is not null;
create index users_by_email on users (environment_id, lower(email));

-- Roles and permissions ---------------------------------------------------------------------------------------------

create table roles (
  environment_id text not null references environments on delete cascade,
  id             text not null,                      -- rol_…
  name           text not null,
  description    text,
  created_at     timestamptz not null default now(),
  primary key (environment_id, id)
);
create unique index role_name on roles (environment_id, lower(name));

create table role_permissions (
  environment_id             text not null references environments on delete cascade,
  role_id                    text not null,
  resource_server_identifier text not null,
  permission_name            text not null,
  primary key (environment_id, role_id, resource_server_identifier, permission_name),
  foreign key (environment_id, role_id) references roles on delete cascade,
  foreign key (environment_id, resource_server_identifier)
    references resource_servers (environment_id, identifier) on update cascade on delete cascade
);

create table user_roles (
  environment_id text not null references environments on delete cascade,
  user_id        text not null,
  role_id        text not null,
  primary key (environment_id, user_id, role_id),
  foreign key (environment_id, user_id) references users on delete cascade,
  foreign key (environment_id, role_id) references roles on delete cascade
);
create index user_roles_role on user_roles (environment_id, role_id);

create table user_permissions (
  environment_id             text not null references environments on delete cascade,
  user_id                    text not null,
  resource_server_identifier text not null,
  permission_name            text not null,
  primary key (environment_id, user_id, resource_server_identifier, permission_name),
  foreign key (environment_id, user_id) references users on delete cascade,
  foreign key (environment_id, resource_server_identifier)
    references resource_servers (environment_id, identifier) on update cascade on delete cascade
);

-- Organizations -----------------------------------------------------------------------------------------------------

create table organizations (
  environment_id  text not null references environments on delete cascade,
  organization_id text not null,                     -- org_…; the wire's `id`
  name            text not null,                     -- lower case, what people type at the prompt
  display_name    text not null,
  branding        jsonb,                             -- {logo_url?, colors?: {primary?, page_background?}}: hostile input
  metadata        jsonb not null default '{}',       -- tenantId travels here; strings only
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  primary key (environment_id, organization_id),
  constraint organization_name unique (environment_id, name)
);

create table organization_connections (
  environment_id             text not null references environments on delete cascade,
  organization_id            text not null,
  connection_id              text not null,
  assign_membership_on_login boolean not null default false,
  show_as_button             boolean not null default true,
  is_signup_enabled          boolean not null default false,
  created_at                 timestamptz not null default now(),
  primary key (environment_id, organization_id, connection_id),
  foreign key (environment_id, organization_id) references organizations on delete cascade,
  foreign key (environment_id, connection_id) references connections on delete cascade
);

create table members (
  environment_id  text not null references environments on delete cascade,
  organization_id text not null,
  user_id         text not null,
  created_at      timestamptz not null default now(),
  primary key (environment_id, organization_id, user_id),
  foreign key (environment_id, organization_id) references organizations on delete cascade,
  foreign key (environment_id, user_id) references users on delete cascade
);
create index members_user on members (environment_id, user_id);

create table member_roles (
  environment_id  text not null references environments on delete cascade,
  organization_id text not null,
  user_id         text not null,
  role_id         text not null,
  primary key (environment_id, organization_id, user_id, role_id),
  foreign key (environment_id, organization_id, user_id) references members on delete cascade,
  foreign key (environment_id, role_id) references roles on delete cascade
);

-- Which organizations a machine may act for, when its client grant does not allow any.
create table organization_client_grants (
  environment_id  text not null references environments on delete cascade,
  organization_id text not null,
  grant_id        text not null,
  primary key (environment_id, organization_id, grant_id),
  foreign key (environment_id, organization_id) references organizations on delete cascade,
  foreign key (environment_id, grant_id) references client_grants on delete cascade
);

create table invitations (
  environment_id  text not null references environments on delete cascade,
  id              text not null,                     -- uinv_…
  organization_id text not null,
  ticket_hash     bytea not null,                    -- what an acceptance is looked up by
  ticket          bytea not null,                    -- sealed: the API shows the link again
  inviter         jsonb not null,                    -- {name}
  invitee         jsonb not null,                    -- {email}
  client_id       text not null,
  connection_id   text,                              -- where a new user must sign up, if one was named
  roles           text[] not null default '{}',
  app_metadata    jsonb not null default '{}',
  user_metadata   jsonb not null default '{}',
  created_at      timestamptz not null,
  expires_at      timestamptz not null,
  primary key (environment_id, id),
  foreign key (environment_id, organization_id) references organizations on delete cascade,
  foreign key (environment_id, client_id) references clients on delete cascade,
  foreign key (environment_id, connection_id) references connections on delete cascade
);
-- Accepting deletes by this key: one statement, one winner.
create unique index invitations_ticket on invitations (environment_id, ticket_hash);
create index invitations_organization on invitations (environment_id, organization_id, created_at);
-- How often an address was invited lately.
create index invitations_invitee on invitations (environment_id, lower(invitee->>'email'), created_at);

-- Signing in --------------------------------------------------------------------------------------------------------

-- A browser's sign-in. It names a person and never an organization: one browser may be in several.
create table sessions (
  environment_id  text not null references environments on delete cascade,
  id              text not null,                     -- the sid claim
  handle_hash     bytea not null,                    -- of the cookie
  user_id         text not null,
  auth_time       timestamptz not null,
  amr             text[] not null,
  ip              text,
  user_agent      text,
  created_at      timestamptz not null,
  last_seen       timestamptz not null,
  idle_expires_at timestamptz not null,
  expires_at      timestamptz not null,
  primary key (environment_id, id),
  foreign key (environment_id, user_id) references users on delete cascade
);
create unique index sessions_handle on sessions (environment_id, handle_hash);
create index sessions_user on sessions (environment_id, user_id);

-- A login under way: the request as it was accepted (never altered afterwards) and what has been proven since.
create table login_transactions (
  environment_id  text not null references environments on delete cascade,
  state_hash      bytea not null,                    -- of the `state` in the pages' addresses
  browser_hash    bytea not null,                    -- of the browser's cookie: another browser gets nothing
  request         jsonb not null,                    -- the checked authorization request
  organization_id text,                              -- chosen by request, prompt or invitation
  invitation_id   text,
  created_at      timestamptz not null,
  expires_at      timestamptz not null,
  primary key (environment_id, state_hash)
);

-- One immutable authorization. Whatever is minted points at one.
create table grants (
  environment_id  text not null references environments on delete cascade,
  id              text not null,
  user_id         text not null,
  client_id       text not null,
  organization_id text,
  audience        text,                              -- as asked; what `aud` will say
  resource_server_identifier text,                   -- the API it names, by its first name
  scope           text[] not null,                   -- the ceiling; cut again with the user's permissions at each mint
  session_id      text,
  connection_id   text,
  auth_time       timestamptz not null,
  amr             text[] not null,
  created_at      timestamptz not null,
  revoked_at      timestamptz,                       -- kills everything that points here
  primary key (environment_id, id),
  foreign key (environment_id, user_id) references users on delete cascade,
  foreign key (environment_id, client_id) references clients on delete cascade,
  foreign key (environment_id, organization_id) references organizations on delete cascade
);
create index grants_user on grants (environment_id, user_id);

create table codes (
  environment_id text not null references environments on delete cascade,
  code_hash      bytea not null,
  grant_id       text not null,
  redirect_uri   text not null,
  code_challenge text,                               -- S256 only
  nonce          text,
  with_auth_time boolean not null default false,     -- max_age or prompt=login was asked (OIDC Core §2)
  claims         jsonb not null default '{}',        -- what the post-login Actions decided: {id, access, scope}
  issuer         text not null,                      -- redeemable at this origin only
  attempts       integer not null default 0,         -- wrong verifiers; a code is no oracle
  expires_at     timestamptz not null,
  used_at        timestamptz,
  primary key (environment_id, code_hash),
  foreign key (environment_id, grant_id) references grants on delete cascade
);

-- Removing a grant, or a person with their grants, removes codes by this key.
create index codes_grant on codes (environment_id, grant_id);

create table refresh_tokens (
  environment_id    text not null references environments on delete cascade,
  id                text not null,
  token_hash        bytea not null,
  grant_id          text not null,                   -- the family: every rotation of one authorization
  previous_id       text,                            -- the token this one replaced
  rotating          boolean not null,
  issuer            text not null,
  created_at        timestamptz not null,
  rotated_at        timestamptz,                     -- when it was exchanged for its successor
  idle_expires_at   timestamptz,
  expires_at        timestamptz,                     -- fixed at the first issue, inherited by successors
  last_exchanged_at timestamptz,
  primary key (environment_id, id),
  foreign key (environment_id, grant_id) references grants on delete cascade
);
create unique index refresh_tokens_hash on refresh_tokens (environment_id, token_hash);
create index refresh_tokens_grant on refresh_tokens (environment_id, grant_id);

-- Failed sign-ins, counted per account and address (and per account alone, with a higher limit).
create table login_failures (
  environment_id text not null references environments on delete cascade,
  bucket         bytea not null,                     -- hash of what is counted; addresses are not stored
  failures       integer not null,
  window_ends_at timestamptz not null,
  primary key (environment_id, bucket)
);

-- Actions -----------------------------------------------------------------------------------------------------------

create table actions (
  environment_id text not null references environments on delete cascade,
  id             text not null,                      -- UUID
  name           text not null,
  trigger_id     text not null,                      -- post-login
  trigger_version text not null,
  code           text not null default '',           -- the draft
  runtime        text not null default 'node22',
  secrets        bytea,                              -- sealed JSON [{name, value, updated_at}]
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  primary key (environment_id, id),
  constraint action_name unique (environment_id, name)
);

-- A deployed snapshot. Only these run.
create table action_versions (
  environment_id text not null references environments on delete cascade,
  id             text not null,                      -- UUID
  action_id      text not null,
  number         integer not null,
  code           text not null,
  runtime        text not null,
  secrets        bytea,
  deployed       boolean not null,
  created_at     timestamptz not null default now(),
  primary key (environment_id, id),
  foreign key (environment_id, action_id) references actions on delete cascade,
  constraint action_version_number unique (environment_id, action_id, number)
);
-- Two deploys at once leave one deployed version.
create unique index action_versions_deployed on action_versions (environment_id, action_id) where deployed;

create table action_bindings (
  environment_id text not null references environments on delete cascade,
  id             text not null,
  trigger_id     text not null,
  position       integer not null,                   -- order of execution
  action_id      text not null,
  display_name   text not null,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  primary key (environment_id, id),
  foreign key (environment_id, action_id) references actions on delete cascade,
  constraint action_bound_once unique (environment_id, trigger_id, action_id)
);

-- What a person may do -----------------------------------------------------------------------------------------------

-- Read at every mint, so that a refresh follows changes. Inside an organization only the roles that the person holds
-- there count: a role in one organization must never work in another, and neither does one held outside of all.
create function permissions_of(person text, organization text, audience text) returns text[] language sql stable as $$
  select coalesce(array_agg(distinct permission_name order by permission_name), '{}') from (
    select rp.permission_name from role_permissions rp
    where rp.resource_server_identifier = audience and rp.role_id in (
      select mr.role_id from member_roles mr where mr.organization_id = organization and mr.user_id = person
      union all
      select ur.role_id from user_roles ur where organization is null and ur.user_id = person)
    union all
    select up.permission_name from user_permissions up
    where organization is null and up.user_id = person and up.resource_server_identifier = audience
  ) as permitted
$$;

create function roles_of(person text, organization text) returns text[] language sql stable as $$
  select coalesce(array_agg(r.name order by r.name), '{}') from roles r
  where r.id in (
    select mr.role_id from member_roles mr where mr.organization_id = organization and mr.user_id = person
    union all
    select ur.role_id from user_roles ur where organization is null and ur.user_id = person)
$$;

-- Mail --------------------------------------------------------------------------------------------------------------

-- The outbox: written in the same transaction as its cause, so a mail is sent if and only if the cause was kept.
create table messages (
  environment_id text not null references environments on delete cascade,
  id             text not null,
  recipient      text not null,
  template       text not null,
  subject        text not null,
  body           bytea not null,                     -- sealed JSON {html, text}: it holds links that work
  created_at     timestamptz not null,
  delivered_at   timestamptz,
  attempts       integer not null default 0,
  last_error     text,
  next_attempt_at timestamptz,
  primary key (environment_id, id)
);
create index messages_waiting on messages (next_attempt_at) where delivered_at is null and next_attempt_at is not null;
create index messages_recipient on messages (environment_id, lower(recipient), created_at);

-- Wakes whoever delivers. It says nothing about the message: channels are outside row-level security.
create function announce_mail() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_mail', '');
  return null;
end $$;
create trigger announce after insert on messages for each statement execute function announce_mail();

-- Apply the rules to every table ------------------------------------------------------------------------------------

alter table environments enable row level security;
alter table environments force row level security;
create policy environment on environments using (id = scope_environment()) with check (id = scope_environment());
create policy across on environments to current_user using (true) with check (true);

do $$
declare t regclass;
begin
  foreach t in array array[
    'environment_origins', 'signing_keys', 'resource_servers', 'clients', 'client_grants', 'connections',
    'connection_clients', 'users', 'roles', 'role_permissions', 'user_roles', 'user_permissions', 'organizations',
    'organization_connections', 'members', 'member_roles', 'organization_client_grants', 'invitations', 'sessions',
    'login_transactions', 'grants', 'codes', 'refresh_tokens', 'login_failures', 'actions', 'action_versions',
    'action_bindings', 'messages']::regclass[]
  loop
    call isolate(t);
  end loop;
  foreach t in array array[
    'environments', 'environment_origins', 'signing_keys', 'resource_servers', 'clients', 'client_grants', 'connections',
    'connection_clients', 'organizations', 'organization_connections', 'organization_client_grants', 'actions',
    'action_versions', 'action_bindings']::regclass[]
  loop
    call announce(t);
  end loop;
end $$;
