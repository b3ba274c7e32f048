-- Further ways to a token: passwords and one-time codes at the token endpoint, devices, exchanges; and text messages.

-- Text messages -----------------------------------------------------------------------------------------------------

-- They wait in the same outbox as mail, so that both are sent if and only if their cause was kept. Their recipient is a
-- phone number, their subject says nothing.
alter table messages add column channel text not null default 'mail' check (channel in ('mail', 'sms'));

-- Who sends an environment's text messages; without a row, or with a disabled one, nobody does.
create table phone_providers (
  environment_id text primary key references environments on delete cascade,
  id             text not null,                      -- pro_…
  name           text not null check (name in ('twilio', 'custom')),
  disabled       boolean not null,
  configuration  jsonb not null,                     -- what the API shows: account, sender, address of a webhook
  credentials    bytea,                              -- sealed for the account or address: moved elsewhere it opens nothing
  created_at     timestamptz not null,
  updated_at     timestamptz not null
);
call isolate('phone_providers');
