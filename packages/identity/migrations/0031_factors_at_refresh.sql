-- A second factor that is due at a refresh: such a token stands for a refresh token in the place of a first factor.
alter table mfa_tokens
  alter column provider drop not null,
  alter column identity_id drop not null,
  alter column proof_hash drop not null,
  add column refresh_token_id text,
  add constraint mfa_tokens_refresh_token
    foreign key (environment_id, refresh_token_id) references refresh_tokens on delete cascade,
  add constraint mfa_tokens_stand_for_one
    check ((refresh_token_id is null) = (provider is not null and identity_id is not null and proof_hash is not null));
create index mfa_tokens_refresh_token on mfa_tokens (environment_id, refresh_token_id) where refresh_token_id is not null;
