-- Signing up, agreeing, and what is asked of passwords.

-- Signing up --------------------------------------------------------------------------------------------------------

-- A sign-up is open until its address is proven: the password that was chosen rests with the ticket, and the person has
-- none until the link is followed by whoever chose it. Otherwise a stranger could sign up with somebody's address and
-- wait for them to confirm it (pre-hijacking).
alter table tickets
  add column password_hash text,                     -- of a sign-up: what becomes the person's password
  add column browser_hash  bytea;                    -- of a sign-up: the browser in which it was chosen
create index tickets_sign_up on tickets (environment_id, user_id) where password_hash is not null;
-- `unblock` lets an account that wrong passwords have blocked be tried again.
alter table tickets drop constraint tickets_kind_check;
alter table tickets add constraint tickets_kind_check check (kind in ('email_verification', 'password_change', 'unblock'));

-- How Universal Login asks, where it differs from the defaults: {identifier_first}
alter table environments add column prompts jsonb not null default '{}';

-- Passwords ---------------------------------------------------------------------------------------------------------

-- Passwords that a person had before, for connections that refuse them.
create table password_history (
  environment_id text not null references environments on delete cascade,
  user_id        text not null,
  id             bigint generated always as identity,
  password_hash  text not null,
  replaced_at    timestamptz not null,
  primary key (environment_id, user_id, id),
  foreign key (environment_id, user_id) references users on delete cascade
);
call isolate('password_history');

alter table attack_protection add column breached_password_detection jsonb;
alter table daily_stats add column leaked_passwords integer not null default 0;

-- Consent -----------------------------------------------------------------------------------------------------------

-- What a person has let a client do at an API, by saying so on a page. '' stands for none, so that a key can hold it.
create table consents (
  environment_id  text not null references environments on delete cascade,
  id              text not null,
  user_id         text not null,
  client_id       text not null,
  audience        text not null,                     -- '': the person's profile
  organization_id text not null,
  scope           text[] not null,
  created_at      timestamptz not null,
  updated_at      timestamptz not null,
  primary key (environment_id, user_id, client_id, audience, organization_id),
  constraint consents_id unique (environment_id, id),
  foreign key (environment_id, user_id) references users on delete cascade,
  foreign key (environment_id, client_id) references clients on delete cascade
);
call isolate('consents');
