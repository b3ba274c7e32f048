-- What several gateways share of throttling: one row per token bucket, from which each process leases tokens ahead of
-- its requests. Rows belong to the data plane, which serves every environment, and are reached through the door across
-- environments only: the policy lets nobody else see one.
--
-- Unlogged: a crash fills every bucket, which is what a bucket becomes by itself.

create unlogged table buckets (
  name       text primary key,                       -- the kind of limit, the API, the stage, the route or tenant
  per_second double precision not null,
  burst      double precision not null,
  tokens     double precision not null,              -- as of `at`; negative while debts are larger than what came back
  owed       double precision not null,              -- of the latest lease: the statement that grants one reads its wish
  wanted     double precision not null,              --   from the row it would have inserted
  granted    double precision not null,
  at         timestamptz not null
);

-- The processes there are: each one's share of a limit while this database is away.
create unlogged table limiters (
  process text primary key,
  seen_at timestamptz not null
);

alter table buckets enable row level security;
alter table buckets force row level security;
create policy across on buckets to current_user using (true) with check (true);
alter table limiters enable row level security;
alter table limiters force row level security;
create policy across on limiters to current_user using (true) with check (true);
