-- Access: who is signed in where, what they were given, how it is taken away, and how guessing is held off.

-- Sessions and what they led to --------------------------------------------------------------------------------------

alter table sessions
  add column session_metadata jsonb,                 -- {key: text}, written through the API; Actions read it
  add column updated_at       timestamptz,           -- null until the first use or change
  add column last_ip          text,                  -- null until it is used from somewhere after the sign-in
  add column last_user_agent  text;
-- A person's sessions are listed page by page.
drop index sessions_user;
create index sessions_user on sessions (environment_id, user_id, id);

-- Ending a session ends what was authorized in it; a session shows its clients.
create index grants_session on grants (environment_id, session_id) where session_id is not null;
-- The consents that the API shows are groups of grants. In this order a page of them is read without sorting the rest.
drop index grants_user;
create index grants_user on grants (environment_id, user_id, client_id, audience, organization_id, id);
-- A person's refresh tokens are listed page by page, by the grants that they belong to.
create index grants_person on grants (environment_id, user_id, id);

-- The API shows one token for a family of rotations, under the id of its first row, which lives as long as the family.
alter table refresh_tokens
  add column refresh_token_metadata jsonb,           -- of the family, so only on its first row
  add column ip              text,                   -- where the row was issued to
  add column user_agent      text,
  add column last_ip         text,                   -- where a token that does not rotate was last exchanged
  add column last_user_agent text;
create index refresh_tokens_family on refresh_tokens (environment_id, id) where previous_id is null;
create index refresh_tokens_first on refresh_tokens (environment_id, grant_id) where previous_id is null;
-- Without it a family's live member is searched for among all its rotations.
create index refresh_tokens_alive on refresh_tokens (environment_id, grant_id) where rotated_at is null;

-- Signing keys -------------------------------------------------------------------------------------------------------

alter table signing_keys
  add column current_since timestamptz,
  add column current_until timestamptz,
  add column revoked_at    timestamptz;
update signing_keys set current_since = created_at where state = 'current';

-- Guessing -----------------------------------------------------------------------------------------------------------

-- What an environment has set apart from the defaults; a missing row or null means them.
create table attack_protection (
  environment_id           text primary key references environments on delete cascade,
  brute_force_protection   jsonb,
  suspicious_ip_throttling jsonb
);

-- The API lists who is blocked and from where. The address is kept in clear for that, as it is in sessions, for as long
-- as the count. The account is not: people type passwords into the field for their name, so it stays a keyed hash, by
-- which the counts of a given account are found.
--
-- For an address, window_ends_at is the moment at which all its tries have been given back (each try moves it on by the
-- time that one takes), and failures counts what was refused since the last try that was let through.
delete from login_failures;                          -- counted otherwise, and forgotten in 15 minutes anyhow
alter table login_failures
  add column kind    text not null check (kind in ('account_at_address', 'account', 'address')),
  add column account bytea,
  add column ip      text;
create index login_failures_account on login_failures (environment_id, account) where account is not null;

call isolate('attack_protection');
call announce('attack_protection');
