-- Log streams: where a copy of the tenant log goes. A stream knows the last position it has delivered, and that is all
-- there is to a queue: whatever comes after it is due, in the order of positions.

create table log_streams (
  environment_id  text not null references environments on delete cascade,
  id              text not null,                     -- lst_…
  name            text not null,
  type            text not null,                     -- http
  status          text not null default 'active' check (status in ('active', 'paused', 'suspended')),
  filters         jsonb not null default '[]',       -- [{type: 'category', name}]; none: everything
  sink            jsonb not null,                    -- what may be read of it
  secrets         bytea not null,                    -- sealed JSON: the rest of it, and the key that signs
  position        bigint not null,                   -- delivered up to here
  attempts        integer not null default 0,        -- of the batch that is due
  next_attempt_at timestamptz,                       -- later than now while a worker has it, or waits to try again
  last_error      text,
  created_at      timestamptz not null,
  updated_at      timestamptz not null,
  primary key (environment_id, id)
);
call isolate('log_streams');

-- Wakes whoever delivers, in environments that have streams. It says nothing: channels are outside row-level security.
create function announce_logs() returns trigger language plpgsql as $$
begin
  if exists (select from log_streams where environment_id = scope_environment() and status = 'active') then
    perform pg_notify('tenantry_logs', '');
  end if;
  return null;
end $$;
create trigger announce after insert on logs for each statement execute function announce_logs();

-- What /stats/daily tells, counted as entries are written: entries themselves are removed after a while.
create table daily_stats (
  environment_id text not null references environments on delete cascade,
  date           date not null,                      -- UTC
  logins         integer not null,
  signups        integer not null,
  updated_at     timestamptz not null,
  primary key (environment_id, date)
);
call isolate('daily_stats');
