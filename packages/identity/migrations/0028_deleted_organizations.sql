-- Tokens outlive the organization that they are for. Until the last of them has expired, whoever asks which organizations
-- are suspended is told of it too: else a suspended customer's tokens would count again once the customer is deleted.
create table deleted_organizations (
  environment_id  text not null references environments on delete cascade,
  organization_id text not null,
  deleted_at      timestamptz not null,
  primary key (environment_id, organization_id)
);
create index deleted_organizations_old on deleted_organizations (deleted_at);
call isolate('deleted_organizations');
