-- Signing in with a code that is sent, by mail or by text message, to people who have no password.

-- A phone number belongs to one person of a connection, as an address does.
alter table user_identities add column phone_key text collate "C";
create unique index users_phone on user_identities (environment_id, phone_key, connection_id) where phone_key is not null;

create or replace function keep_primary_identity() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into user_identities (environment_id, provider, identity_id, user_id, connection_id, is_primary, email_key,
      username_key, phone_key, linked_at)
    values (new.environment_id, provider_of(new.user_id), identity_of(new.user_id), new.user_id, new.connection_id, true,
      lower(new.email), lower(new.username), new.phone_number, new.created_at);
  else
    update user_identities
    set connection_id = new.connection_id, email_key = lower(new.email), username_key = lower(new.username),
      phone_key = new.phone_number
    where environment_id = new.environment_id and user_id = new.user_id and is_primary;
  end if;
  return null;
end $$;
drop trigger identity_of_changed on users;
create trigger identity_of_changed after update on users for each row
  when (old.email is distinct from new.email or old.username is distinct from new.username
    or old.phone_number is distinct from new.phone_number or old.connection_id is distinct from new.connection_id)
  execute function keep_primary_identity();

-- What was sent last, for one recipient, client and place: a login under way, or the token endpoint. A new code takes the
-- place of the one before; a right answer takes the row away.
create table passwordless_codes (
  environment_id text not null references environments on delete cascade,
  connection_id  text not null,
  client_id      text not null,
  recipient_key  text collate "C" not null,          -- an address in lower case, or a number
  bound_to       bytea not null,                     -- of the login's state; empty for the token endpoint
  code_hash      bytea not null,                     -- keyed: few digits are looked up in a table
  attempts       integer not null default 0,         -- wrong answers; after some of them the code is worth nothing
  expires_at     timestamptz not null,
  primary key (environment_id, connection_id, client_id, recipient_key, bound_to),
  foreign key (environment_id, connection_id) references connections on delete cascade,
  foreign key (environment_id, client_id) references clients on delete cascade
);
create index passwordless_codes_client on passwordless_codes (environment_id, client_id);
create index passwordless_codes_expired on passwordless_codes (expires_at);
call isolate('passwordless_codes');
