-- The tenant log: what happened in an environment, searchable through /api/v2/logs and streamed to log streams.
--
-- Positions are counted per environment and given out in the order of commits: the counter's row is locked from the
-- first insert of a batch to its commit. A reader that has seen position n has therefore seen all below n, so a stream
-- resumes after a number and can neither miss an entry that was committed late nor learn how busy others are.

create table log_counters (
  environment_id text primary key references environments on delete cascade,
  last           bigint not null
);

-- Ids are copied, not referenced: an entry outlives what it tells of.
create table logs (
  environment_id    text not null references environments on delete cascade,
  position          bigint not null,                 -- log_id on the wire is made from it
  date              timestamptz not null,
  type              text not null,                   -- Auth0's one-word codes; see src/logs/log-types.ts
  description       text,
  connection        text,
  connection_id     text,
  client_id         text,
  client_name       text,
  ip                text,
  user_agent        text,
  hostname          text,
  user_id           text,
  user_name         text,
  strategy          text,
  strategy_type     text,
  audience          text,
  scope             text,
  organization_id   text,
  organization_name text,
  details           jsonb,                           -- redacted before it comes here
  primary key (environment_id, position)
);
create index logs_user on logs (environment_id, user_id, position) where user_id is not null;
create index logs_type on logs (environment_id, type, position);
create index logs_date on logs (environment_id, date);
-- Old entries are removed for all environments at once.
create index logs_age on logs using brin (date);

-- People may ask for the Management API, and get of it what their roles allow.
update resource_servers set enforce_policies = true where is_system;

call isolate('log_counters');
call isolate('logs');
