-- Mail in an organization's name waits while the organization is suspended, and goes with it when it is deleted.
alter table messages
  add column organization_id text,
  add constraint messages_organization foreign key (environment_id, organization_id) references organizations on delete cascade;
create index messages_organization on messages (environment_id, organization_id) where organization_id is not null;
