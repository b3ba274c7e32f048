-- What the Actions of a person's last sign-in with a client put into the ID token, for /userinfo to tell as well.
create table userinfo_claims (
  environment_id  text not null references environments on delete cascade,
  user_id         text not null,
  client_id       text not null,
  organization_id text not null,                     -- '': outside of all
  claims          jsonb not null,
  primary key (environment_id, user_id, client_id, organization_id),
  foreign key (environment_id, user_id) references users on delete cascade,
  foreign key (environment_id, client_id) references clients on delete cascade
);
call isolate('userinfo_claims');
