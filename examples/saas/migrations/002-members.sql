-- Who changes a tenant's members takes a turn, so that two administrators cannot remove each other at the same moment and
-- leave nobody. A lease instead of a lock: no connection is held while the issuer is asked.
alter table tenants
  add column members_turn       uuid,
  add column members_turn_until timestamptz;

-- The plans are the tiers.
alter table tenants drop constraint tenants_plan_check;
update tenants set plan = case plan when 'starter' then 'basic' else 'standard' end;
alter table tenants add constraint tenants_plan_check check (plan in ('basic', 'standard', 'premium', 'platinum'));
