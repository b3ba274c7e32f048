-- Jobs: users imported from a file and exported to one, in the background.
--
-- The row is the queue: whoever finds one that is due takes it for a minute (lease_until) and renews that with every
-- step. Progress and what a step has written are committed together, so a process that dies in between leaves a job that
-- another one continues where it stood.

create table jobs (
  environment_id text not null references environments on delete cascade,
  id             text not null,                      -- job_…
  type           text not null check (type in ('users_import', 'users_export')),
  -- A job whose file is still on its way is 'uploading', and does not exist for anybody yet.
  status         text not null check (status in ('uploading', 'pending', 'processing', 'completed', 'failed')),
  slot           integer check (slot between 1 and 2), -- held until the job has finished
  connection_id  text,                               -- of an export: all connections if null
  external_id    text,
  settings       jsonb not null default '{}',        -- import: {upsert}; export: {format, limit, fields}
  cursor         text,                               -- import: offset of the next row in the file; export: last user_id
  done           integer not null default 0,         -- rows read so far
  total          integer,                            -- known once the file was read, or the users were counted
  inserted       integer not null default 0,
  updated        integer not null default 0,
  failed         integer not null default 0,
  status_details text,
  link_hash      bytea,                              -- what a finished export is downloaded by
  attempts       integer not null default 0,         -- how often it was taken; a worker of an earlier one writes nothing
  lease_until    timestamptz not null,               -- due from then on
  created_at     timestamptz not null,
  started_at     timestamptz,
  finished_at    timestamptz,
  primary key (environment_id, id),
  foreign key (environment_id, connection_id) references connections on delete cascade
);
-- Two unfinished jobs of a kind in an environment, whatever arrives at once.
create unique index jobs_slot on jobs (environment_id, type, slot) where slot is not null;
create index jobs_waiting on jobs (lease_until) where status in ('pending', 'processing');
create unique index jobs_link on jobs (environment_id, link_hash) where link_hash is not null;
create index jobs_finished on jobs (finished_at) where finished_at is not null;

-- The file of a job in pieces, sealed: an import's holds password hashes, and both hold what is known about people.
create table job_files (
  environment_id text not null references environments on delete cascade,
  job_id         text not null,
  sequence       integer not null,
  bytes          bytea not null,
  primary key (environment_id, job_id, sequence),
  foreign key (environment_id, job_id) references jobs on delete cascade
);
-- Ciphertext does not compress.
alter table job_files alter column bytes set storage external;

-- What an import has met already (digests of addresses and ids), so that a second row for the same person is told from
-- a person who was there before, also after a restart. Removed when the job ends.
create table job_seen (
  environment_id text not null references environments on delete cascade,
  job_id         text not null,
  key            text not null,
  primary key (environment_id, job_id, key),
  foreign key (environment_id, job_id) references jobs on delete cascade
);

-- Rows that were refused, in the order of the file.
create table job_errors (
  environment_id text not null references environments on delete cascade,
  job_id         text not null,
  position       integer not null,                   -- of the row in the file, from 0
  person         jsonb not null,                     -- as sent, without hashes
  errors         jsonb not null,                     -- [{code, message, path}]
  primary key (environment_id, job_id, position),
  foreign key (environment_id, job_id) references jobs on delete cascade
);

-- An export of one connection walks through its users in this order.
create index users_connection on users (environment_id, connection_id, user_id);

-- Wakes whoever runs jobs. It says nothing about the job: channels are outside row-level security.
create function announce_job() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_jobs', '');
  return null;
end $$;
create trigger announce after insert or update of status on jobs
  for each row when (new.status = 'pending') execute function announce_job();

call isolate('jobs');
call isolate('job_files');
call isolate('job_seen');
call isolate('job_errors');
