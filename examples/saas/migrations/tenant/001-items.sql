-- A tenant's tables, the same in the pool, in a schema of its own and in a database of its own. At will again: in a pool that is
-- older than this file they are there.
-- Tenants' data. The key begins with the tenant: two tenants may use the same id, and a violated key tells nothing
-- about anybody else.
create table if not exists items (
  tenant_id  text not null,
  id         text not null check (id ~ '^[A-Za-z0-9._-]{1,64}$'),
  name       text not null,
  location   text not null default '',
  quantity   integer not null check (quantity >= 0),
  low_at     integer not null default 0 check (low_at >= 0),
  created_by text not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
alter table items enable row level security;
alter table items force row level security;
drop policy if exists tenant on items;
create policy tenant on items
  using      (tenant_id = nullif(current_setting('app.tenant_id', true), ''))
  with check (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
