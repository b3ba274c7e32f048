-- What the control plane keeps: the APIs of environments, and the keys that may change them.
--
-- Rules of this schema
--   * Nothing here belongs to a customer of the SaaS; all of it is the provider's, which is an environment. So the one
--     policy compares the environment: row-level security is enabled and forced, as in the schema of identity, and the
--     application's role owns nothing. The data plane serves every environment and reads through the door across them.
--   * environment_id has no foreign key: the gateway may run where no identity server does.
--   * What constraints and lookups need has a column; everything else of a noun is in `settings`, under the names it has
--     on the wire.
--   * `position` is the order of lists and what their tokens resume after.

create function scope_environment() returns text language sql stable
  as $$ select nullif(current_setting('tenantry.environment_id', true), '') $$;

create procedure isolate(tbl regclass) language plpgsql as $$
begin
  execute format('alter table %s enable row level security', tbl);
  execute format('alter table %s force row level security', tbl);
  execute format('create policy environment on %s using (environment_id = gateway.scope_environment())
                  with check (environment_id = gateway.scope_environment())', tbl);
  -- The owner is forced under policies too; its own is the door across environments (kernel/database).
  execute format('create policy across on %s to current_user using (true) with check (true)', tbl);
end $$;

-- Accounts ----------------------------------------------------------------------------------------------------------

-- An environment as AWS's clients know it: the twelve digits in ARNs, events and access logs.
create table accounts (
  environment_id text primary key,
  id             text not null unique check (id ~ '^[0-9]{12}$'),
  created_at     timestamptz not null default now()
);

-- A key signs requests, so its secret is needed in the clear: sealed under the master key, bound to this row.
create table access_keys (
  id             text primary key,                  -- AKIA…; names the environment before anything else is known
  environment_id text not null references accounts on delete cascade,
  secret         bytea not null,
  created_at     timestamptz not null default now()
);
create index on access_keys (environment_id);

-- APIs and their parts ----------------------------------------------------------------------------------------------
-- Whoever changes a part locks its API's row first, so counts against quotas hold and automatic deployments are taken in
-- the order of changes.

create table apis (
  environment_id text not null references accounts on delete cascade,
  id             text not null unique,              -- first label of its host, so no two environments share one
  settings       jsonb not null,
  tags           jsonb not null default '{}',
  position       bigint generated always as identity,
  created_at     timestamptz not null default now(),
  primary key (environment_id, id)
);
create index on apis (environment_id, position);

create table integrations (
  environment_id text not null,
  api_id         text not null,
  id             text not null,
  settings       jsonb not null,
  is_managed     boolean not null default false,    -- made by quick create
  position       bigint generated always as identity,
  primary key (environment_id, api_id, id),
  foreign key (environment_id, api_id) references apis on delete cascade
);
create table authorizers (
  environment_id text not null,
  api_id         text not null,
  id             text not null,
  name           text not null,
  settings       jsonb not null,
  position       bigint generated always as identity,
  primary key (environment_id, api_id, id),
  unique (environment_id, api_id, name),
  foreign key (environment_id, api_id) references apis on delete cascade
);
-- What a route names cannot be deleted under it; deferred, so that deleting an API may take its parts in any order.
create table routes (
  environment_id text not null,
  api_id         text not null,
  id             text not null,
  route_key      text not null,
  integration_id text,
  authorizer_id  text,
  settings       jsonb not null,
  is_managed     boolean not null default false,
  position       bigint generated always as identity,
  primary key (environment_id, api_id, id),
  unique (environment_id, api_id, route_key),
  foreign key (environment_id, api_id) references apis on delete cascade,
  foreign key (environment_id, api_id, integration_id) references integrations deferrable initially deferred,
  foreign key (environment_id, api_id, authorizer_id) references authorizers deferrable initially deferred
);
create index on routes (environment_id, api_id, integration_id);
create index on routes (environment_id, api_id, authorizer_id);

-- A snapshot of an API as `Definition` (src/api.ts). It never changes; only its description may.
create table deployments (
  environment_id   text not null,
  api_id           text not null,
  id               text not null,
  definition       jsonb,                           -- null: it failed, and status_message says why
  is_auto_deployed boolean not null default false,
  description      text,
  status_message   text,
  position         bigint generated always as identity,
  created_at       timestamptz not null default now(),
  primary key (environment_id, api_id, id),
  foreign key (environment_id, api_id) references apis on delete cascade
);

create table stages (
  environment_id     text not null,
  api_id             text not null,
  name               text not null,
  deployment_id      text,                          -- null: nothing is served
  is_auto_deploy     boolean not null default false,
  settings           jsonb not null,
  tags               jsonb not null default '{}',
  is_managed         boolean not null default false,
  deployment_message text,
  position           bigint generated always as identity,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  primary key (environment_id, api_id, name),
  foreign key (environment_id, api_id) references apis on delete cascade,
  foreign key (environment_id, api_id, deployment_id) references deployments deferrable initially deferred
);
create index on stages (environment_id, api_id, deployment_id);

-- Custom domains ----------------------------------------------------------------------------------------------------

create table domain_names (
  environment_id text not null references accounts on delete cascade,
  name           text not null unique,              -- lower case; the host of a request decides, so it has one owner
  settings       jsonb not null,
  tags           jsonb not null default '{}',
  position       bigint generated always as identity,
  created_at     timestamptz not null default now(),
  primary key (environment_id, name)
);

create table api_mappings (
  environment_id text not null,
  domain_name    text not null,
  id             text not null,
  api_id         text not null,
  stage          text not null,
  mapping_key    text not null default '',          -- '': every path that no other mapping takes
  position       bigint generated always as identity,
  primary key (environment_id, domain_name, id),
  unique (environment_id, domain_name, mapping_key),
  foreign key (environment_id, domain_name) references domain_names on delete cascade,
  foreign key (environment_id, api_id, stage) references stages
);
create index on api_mappings (environment_id, api_id, stage);

do $$
declare
  tbl text;
begin
  foreach tbl in array array['accounts', 'access_keys', 'apis', 'integrations', 'authorizers', 'routes', 'deployments',
                             'stages', 'domain_names', 'api_mappings'] loop
    execute format('call gateway.isolate(%L)', 'gateway.' || tbl);
  end loop;
end $$;

-- What the data plane serves is in these tables alone: a part of an API is served once it is in a deployment. The
-- announcement carries nothing, because channels are outside row-level security.
create function announce_change() returns trigger language plpgsql as $$
begin
  perform pg_notify('gateway_changes', '');
  return null;
end $$;
create trigger announce after insert or update or delete on stages for each statement execute function announce_change();
create trigger announce after insert or update or delete on domain_names
  for each statement execute function announce_change();
create trigger announce after insert or update or delete on api_mappings
  for each statement execute function announce_change();
create trigger announce after delete on apis for each statement execute function announce_change();
