-- Stockroom's own data. Unqualified names: the schema is chosen by whoever applies this (search_path).

-- The directory of tenants: which organization of the identity plane stands for which tenant. It spans tenants by
-- nature (a sign-in begins before anybody is known), so it has no tenant column and no policy; nothing in it is a
-- tenant's data.
create table tenants (
  -- Opaque, of one length and never used again, so that no id is the beginning of another.
  id              text primary key check (id ~ '^[A-Za-z0-9]{24}$'),
  name            text not null,
  -- Sub-domain, path and name of the organization at once.
  slug            text not null unique check (slug ~ '^[a-z0-9][a-z0-9_-]{0,49}$'),
  plan            text not null check (plan in ('starter', 'team', 'business')),
  organization_id text unique,
  -- Only active tenants can be resolved, and so signed in to.
  state           text not null default 'preparing' check (state in ('preparing', 'active')),
  created_at      timestamptz not null
);

-- One row for each registration, which is the state of its saga. Whoever holds the lease may take the next step.
create table registrations (
  id             uuid primary key,
  -- SHA-256 of the caller's idempotency key, and of what it asked for: the same key must mean the same request.
  key_hash       bytea not null unique,
  request_hash   bytea not null,
  company_name   text not null,
  email          text not null,
  plan           text not null,
  address        text not null,
  -- Not called tenant_id: this table spans tenants, as the directory does, and no tenant's request reads it.
  new_tenant_id  text not null unique,
  step           text not null check (step in ('received', 'tenant_created', 'organization_created',
                   'connection_enabled', 'user_invited', 'done', 'refusing', 'refused')),
  -- Why it was refused; answered again to whoever repeats the request.
  refusal        jsonb,
  attempts       integer not null default 0,
  attempt_after  timestamptz not null,
  lease          uuid,
  lease_until    timestamptz,
  created_at     timestamptz not null
);
-- The work that a crash left behind.
create index registrations_unfinished on registrations (attempt_after) where step not in ('done', 'refused');
-- The limits per mail address and per network address.
create index registrations_email on registrations (email, created_at);
create index registrations_address on registrations (address, created_at);
