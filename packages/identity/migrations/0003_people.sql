-- People: identities of their own, and searching.

-- Identities --------------------------------------------------------------------------------------------------------

-- Every way in which a person can prove who they are. The first one is the user themselves: its row follows `users`, and
-- the password stays there. Others were linked to it; they bring their password along and keep the profile they had.
--
-- One table for both, because one address may be used once per connection, whoever it belongs to: this is where signing
-- in looks people up. The keys are stored in lower case rather than computed by an index: row-level security keeps
-- conditions from an index unless all their functions are leakproof, and lower() is not.
create table user_identities (
  environment_id text not null references environments on delete cascade,
  provider       text not null,                      -- with identity_id what user_id says before and after the first |
  identity_id    text not null,
  user_id        text not null,                      -- whose it is
  connection_id  text not null,
  is_primary     boolean not null,
  email_key      text collate "C",                   -- lower case; "C" lets ranges stand for prefixes
  username_key   text collate "C",
  password_hash  text,                               -- of a linked identity
  profile_data   jsonb,                              -- of a linked identity: what its user was, shown as profileData
  linked_at      timestamptz not null default now(),
  primary key (environment_id, provider, identity_id),
  check (not is_primary or (password_hash is null and profile_data is null)),
  foreign key (environment_id, user_id) references users on delete cascade,
  foreign key (environment_id, connection_id) references connections on delete cascade
);
create index user_identities_user on user_identities (environment_id, user_id);
create index user_identities_connection on user_identities (environment_id, connection_id);

-- They keep the names under which stores know what was violated.
drop index users_email, users_username, users_by_email;
-- (What is null is never taken; users_email also orders lists by address, those without one included.)
create unique index users_email on user_identities (environment_id, email_key, connection_id);
create unique index users_username on user_identities (environment_id, username_key, connection_id)
  where username_key is not null;

create function provider_of(user_id text) returns text language sql immutable as $$ select split_part(user_id, '|', 1) $$;
create function identity_of(user_id text) returns text language sql immutable
  as $$ select case when strpos(user_id, '|') = 0 then user_id else substr(user_id, strpos(user_id, '|') + 1) end $$;

create function keep_primary_identity() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into user_identities
      (environment_id, provider, identity_id, user_id, connection_id, is_primary, email_key, username_key, linked_at)
    values (new.environment_id, provider_of(new.user_id), identity_of(new.user_id), new.user_id, new.connection_id, true,
      lower(new.email), lower(new.username), new.created_at);
  else
    update user_identities
    set connection_id = new.connection_id, email_key = lower(new.email), username_key = lower(new.username)
    where environment_id = new.environment_id and user_id = new.user_id and is_primary;
  end if;
  return null;
end $$;
create trigger identity_of_new after insert on users for each row execute function keep_primary_identity();
create trigger identity_of_changed after update on users for each row
  when (old.email is distinct from new.email or old.username is distinct from new.username
    or old.connection_id is distinct from new.connection_id)
  execute function keep_primary_identity();

insert into user_identities
  (environment_id, provider, identity_id, user_id, connection_id, is_primary, email_key, username_key, linked_at)
select environment_id, provider_of(user_id), identity_of(user_id), user_id, connection_id, true, lower(email),
  lower(username), created_at
from users;
call isolate('user_identities');

-- As the wire shows them, the user's own first.
create function identities_of(person text) returns jsonb language sql stable as $$
  select coalesce(jsonb_agg(
    jsonb_build_object('connection', c.name, 'provider', i.provider, 'user_id', i.identity_id, 'isSocial', false)
      || case when i.profile_data is null then '{}' else jsonb_build_object('profileData', i.profile_data) end
    order by i.is_primary desc, i.linked_at, i.provider, i.identity_id), '[]')
  from user_identities i join connections c on c.id = i.connection_id where i.user_id = person
$$;

-- The connection somebody came through: with linked identities it is not always the user's own.
alter table sessions add column connection_id text;
update sessions s set connection_id = u.connection_id
from users u where u.environment_id = s.environment_id and u.user_id = s.user_id;

-- Searching ---------------------------------------------------------------------------------------------------------

-- Each index is written at every sign-in, which changes last_login; next to the password hash of that sign-in
-- (about 20 ms of CPU) they do not count.
create index users_listed on users (environment_id, created_at, user_id);
create index users_last_login on users (environment_id, last_login desc nulls last, user_id desc);
alter table users add column name_key text collate "C" generated always as (lower(name)) stored;
create index users_name on users (environment_id, name_key);

-- Both kinds of metadata under the environment's id, so that what other environments hold is not even read, and in
-- lower case, as texts are compared. (jsonb_build_object is not marked immutable because of types that are not used here.)
create function searched_metadata(environment text, user_metadata jsonb, app_metadata jsonb) returns jsonb
language sql immutable parallel safe as $$
  select lower(jsonb_build_object(environment,
    jsonb_build_object('user_metadata', user_metadata, 'app_metadata', app_metadata))::text)::jsonb
$$;
create index users_metadata on users
  using gin (searched_metadata(environment_id, user_metadata, app_metadata) jsonb_path_ops);

-- The users of this environment in whose metadata a JSON path, given without its beginning, finds something; at most so
-- many. The operator is not leakproof, so under row-level security no index would serve it: the owner asks instead, for
-- the scope's environment and nothing else. Only user ids come out, which are then read under the policies again. How
-- many match is unknown to the planner, which must not hope to meet so many early in a walk through all users.
create function users_by_metadata(path text, most integer) returns setof text
language sql stable security definer set search_path = public, pg_temp
set enable_seqscan = off set enable_indexscan = off set enable_indexonlyscan = off as $$
  select user_id from users
  where searched_metadata(environment_id, user_metadata, app_metadata)
      @? lower('$.' || to_json(scope_environment())::text || path)::jsonpath
    and environment_id = scope_environment()
  limit most
$$;
