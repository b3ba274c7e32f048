-- Exports, in parts that fit through API Gateway (10 MB) and through a function's answer (6 MB, in base64). Tenants' data
-- like their items, and kept apart like those; in a schema of its own, or an export would hold the exports before it.
create table parts (
  tenant_id  text not null,
  export_id  uuid not null,
  position   integer not null check (position >= 0),
  content    bytea not null,
  primary key (tenant_id, export_id, position)
);
-- Compressed already.
alter table parts alter column content set storage external;
alter table parts enable row level security;
alter table parts force row level security;
create policy tenant on parts
  using      (tenant_id = nullif(current_setting('app.tenant_id', true), ''))
  with check (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
