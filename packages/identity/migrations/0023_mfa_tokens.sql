-- A sign-in at the token endpoint whose first factor was right, and whose second one is still to be given.
create table mfa_tokens (
  environment_id  text not null references environments on delete cascade,
  token_hash      bytea not null,
  client_id       text not null,
  user_id         text not null,
  connection_id   text not null,
  organization_id text,
  audience        text,                              -- what was asked for; decided anew at the end
  scope           text[] not null,
  amr             text[] not null,                   -- what was proven so far
  provider        text not null,                     -- the identity it was proven with, and
  identity_id     text not null,
  proof_hash      bytea not null,                    -- whether its password is still that one
  grant_type      text,                              -- `gty` of the tokens
  protocol        text not null,                     -- what Actions see
  issuer          text not null,
  adding_id       text,                              -- a method that is being enrolled with it
  recovery_id     text,                              -- the recovery code that was shown beside it
  created_at      timestamptz not null,
  expires_at      timestamptz not null,
  primary key (environment_id, token_hash),
  foreign key (environment_id, client_id) references clients on delete cascade,
  foreign key (environment_id, user_id) references users on delete cascade,
  foreign key (environment_id, organization_id) references organizations on delete cascade
);
create index mfa_tokens_client on mfa_tokens (environment_id, client_id);
create index mfa_tokens_user on mfa_tokens (environment_id, user_id);
create index mfa_tokens_organization on mfa_tokens (environment_id, organization_id) where organization_id is not null;
create index mfa_tokens_expired on mfa_tokens (expires_at);
call isolate('mfa_tokens');
