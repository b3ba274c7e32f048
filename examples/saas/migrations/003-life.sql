-- A registration's steps are the control plane's (a saga of the kit). What stays is what limits how many there may be. Of those
-- that were under way when this was applied, the names are free again.
delete from tenants where state = 'preparing';
alter table registrations
  drop column id, drop column request_hash, drop column company_name, drop column plan, drop column new_tenant_id,
  drop column step, drop column refusal, drop column attempts, drop column attempt_after, drop column lease,
  drop column lease_until, drop constraint registrations_key_hash_key, add primary key (key_hash);

alter table tenants drop constraint tenants_state_check;
alter table tenants
  add constraint tenants_state_check check (state in ('preparing', 'active', 'suspended', 'closed')),
  -- When somebody came in for the first time. From then on the slug is this tenant's for ever, also when it is closed: links
  -- to it must not lead to somebody else.
  add column arrived_at timestamptz;
-- Of those that are older it is not known, and they may have rows: nobody must take them for unopened.
update tenants set arrived_at = created_at;
