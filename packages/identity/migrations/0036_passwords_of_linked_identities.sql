-- A link to choose a password may be for a linked identity, which has one of its own. It goes when the identity is unlinked.
alter table tickets
  add column provider text,
  add column identity_id text,
  add constraint tickets_linked_identity
    foreign key (environment_id, provider, identity_id) references user_identities on delete cascade,
  add constraint tickets_name_an_identity_or_none
    check ((provider is null) = (identity_id is null) and (provider is null or kind = 'password_change'));
create index tickets_linked_identity on tickets (environment_id, provider, identity_id) where provider is not null;
