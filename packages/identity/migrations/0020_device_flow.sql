-- Devices that have no browser (RFC 8628): a person types what the device shows, and signs in elsewhere for it.

create table device_codes (
  environment_id   text not null references environments on delete cascade,
  id               text not null,
  device_code_hash bytea not null,                   -- what the device asks with
  user_code_hash   bytea not null,                   -- keyed: what people type is short enough to be guessed from a dump
  client_id        text not null,
  organization_id  text,                             -- if the device named one
  audience         text,
  resource_server_identifier text,
  scope            text[] not null,
  issuer           text not null,                    -- redeemable at this origin only
  status           text not null check (status in ('pending', 'approved', 'denied', 'redeemed')),
  browser_hash     bytea,                            -- the browser that the code was typed in: no other one approves it
  grant_id         text,                             -- once it is approved
  claims           jsonb not null default '{}',      -- what the post-login Actions decided
  interval_seconds integer not null,                 -- grows with each poll that comes too early
  last_polled_at   timestamptz,
  created_at       timestamptz not null,
  expires_at       timestamptz not null,
  primary key (environment_id, id),
  foreign key (environment_id, client_id) references clients on delete cascade,
  foreign key (environment_id, organization_id) references organizations on delete cascade,
  foreign key (environment_id, grant_id) references grants on delete cascade
);
create unique index device_codes_device on device_codes (environment_id, device_code_hash);
create unique index device_codes_user on device_codes (environment_id, user_code_hash);
create index device_codes_client on device_codes (environment_id, client_id);
create index device_codes_organization on device_codes (environment_id, organization_id) where organization_id is not null;
create index device_codes_grant on device_codes (environment_id, grant_id) where grant_id is not null;
create index device_codes_expired on device_codes (expires_at);
call isolate('device_codes');
