-- Keys of clients, what organizations may use, domains of organizations and of environments, runs of Actions, and the
-- indexes from which lists are read in their order.

-- Clients that authenticate with a key (RFC 7523) ------------------------------------------------------------------

-- A public key of a client. It counts only while the client names it in client_authentication_methods.
create table client_credentials (
  environment_id  text not null references environments on delete cascade,
  client_id       text not null,
  id              text not null,                     -- cred_…
  credential_type text not null,                     -- public_key
  name            text,
  kid             text not null,
  alg             text not null,                     -- the only one this key verifies; a header cannot choose
  public_key      text not null,                     -- SPKI, PEM
  created_at      timestamptz not null,
  updated_at      timestamptz not null,
  expires_at      timestamptz,
  primary key (environment_id, client_id, id),
  foreign key (environment_id, client_id) references clients on delete cascade,
  -- A kid finds one key, or a header could make two of them compete.
  constraint client_credential_kid unique (environment_id, client_id, kid)
);

-- {private_key_jwt: {credentials: [{id}]}}; a client has either this or token_endpoint_auth_method.
alter table clients add column client_authentication_methods jsonb;
alter table clients alter column token_endpoint_auth_method drop not null;
alter table clients add constraint client_authenticates_in_one_way
  check ((token_endpoint_auth_method is null) <> (client_authentication_methods is null));

-- Assertions that were used, until they expire: each is good once.
create table client_assertions (
  environment_id text not null references environments on delete cascade,
  client_id      text not null,
  jti_hash       bytea not null,
  expires_at     timestamptz not null,
  primary key (environment_id, client_id, jti_hash),
  foreign key (environment_id, client_id) references clients on delete cascade
);
create index client_assertions_expired on client_assertions (expires_at);

-- Organizations -----------------------------------------------------------------------------------------------------

-- With it on, members sign in to those clients only that organization_clients names for them.
alter table organizations add column is_app_entitlement_active boolean not null default false;

create table organization_clients (
  environment_id        text not null references environments on delete cascade,
  organization_id       text not null,
  client_id             text not null,
  use_for_member_access boolean not null,
  created_at            timestamptz not null,
  primary key (environment_id, organization_id, client_id),
  foreign key (environment_id, organization_id) references organizations on delete cascade,
  foreign key (environment_id, client_id) references clients on delete cascade
);
create index organization_clients_client on organization_clients (environment_id, client_id);

-- A connection may be prepared for an organization before people can use it.
alter table organization_connections add column is_enabled boolean not null default true;
alter table organization_connections add column organization_connection_name text;

-- E-mail domains that an organization says are its own.
create table organization_discovery_domains (
  environment_id   text not null references environments on delete cascade,
  id               text not null,                    -- dd_…
  organization_id  text not null,
  domain           text not null,                    -- lower case
  status           text not null check (status in ('pending', 'verified')),
  verification_txt text not null,                    -- what the owner of the domain publishes
  created_at       timestamptz not null,
  primary key (environment_id, id),
  foreign key (environment_id, organization_id) references organizations on delete cascade,
  constraint discovery_domain_once unique (environment_id, organization_id, domain)
);
create index discovery_domains_organization on organization_discovery_domains (environment_id, organization_id, id);
-- Many may claim a domain; one has proven it.
create unique index discovery_domain_verified on organization_discovery_domains (environment_id, domain)
  where status = 'verified';

-- Custom domains ----------------------------------------------------------------------------------------------------

-- A claim of a domain, by any number of environments. Proving it writes environment_origins, where an origin has one owner.
create table custom_domains (
  environment_id  text not null references environments on delete cascade,
  id              text not null,                     -- cd_…
  domain          text not null,                     -- lower case, no port
  type            text not null,                     -- self_managed_certs
  status          text not null check (status in ('pending_verification', 'ready')),
  record          text not null,                     -- the text that proves it
  tls_policy      text not null,
  domain_metadata jsonb not null default '{}',
  is_default      boolean not null default false,    -- links in mails lead here
  created_at      timestamptz not null,
  primary key (environment_id, id),
  constraint custom_domain_once unique (environment_id, domain)
);
create unique index custom_domains_default on custom_domains (environment_id) where is_default;

-- Actions -----------------------------------------------------------------------------------------------------------

-- What bound actions did at one sign-in, for whoever looks for a fault. Kept for some days.
create table action_executions (
  environment_id text not null references environments on delete cascade,
  id             text not null,                      -- UUID; people see it as the reference of a failed sign-in
  trigger_id     text not null,
  status         text not null,                      -- final: all ran; partial: one failed and the rest did not run
  results        jsonb not null,                     -- [{action_name, started_at, ended_at, error?}]
  created_at     timestamptz not null,
  updated_at     timestamptz not null,
  primary key (environment_id, id)
);
create index action_executions_old on action_executions (created_at);

-- Lists in their order ----------------------------------------------------------------------------------------------

create index organizations_created on organizations (environment_id, created_at, organization_id);
create index organizations_display_name on organizations (environment_id, display_name, organization_id);
create index clients_created on clients (environment_id, created_at, client_id);
create index client_grants_created on client_grants (environment_id, created_at, id);
create index client_grants_audience on client_grants (environment_id, audience, id);
create index connections_created on connections (environment_id, created_at, id);
create index resource_servers_created on resource_servers (environment_id, created_at, id);
create index resource_servers_name on resource_servers (environment_id, coalesce(name, ''), id);
create index resource_servers_updated on resource_servers (environment_id, updated_at, id);
create index roles_created on roles (environment_id, created_at, id);
create index members_created on members (environment_id, organization_id, created_at, user_id);
create index user_roles_holders on user_roles (environment_id, role_id, user_id);
drop index user_roles_role;                          -- the same with one column less
create index member_roles_role on member_roles (environment_id, role_id);
create index organization_client_grants_grant on organization_client_grants (environment_id, grant_id, organization_id);
create index organization_connections_connection on organization_connections (environment_id, connection_id);
create index actions_created on actions (environment_id, created_at, id);
create index grants_client on grants (environment_id, client_id);
create index grants_organization on grants (environment_id, organization_id) where organization_id is not null;
create index invitations_client on invitations (environment_id, client_id);

do $$
declare t regclass;
begin
  foreach t in array array['client_credentials', 'client_assertions', 'organization_clients',
    'organization_discovery_domains', 'custom_domains', 'action_executions']::regclass[]
  loop
    call isolate(t);
  end loop;
  foreach t in array array['client_credentials', 'organization_clients', 'custom_domains']::regclass[]
  loop
    call announce(t);
  end loop;
end $$;
