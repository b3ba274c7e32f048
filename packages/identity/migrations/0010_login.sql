-- What has been answered in a login under way, beyond its organization: each step writes its own keys, none reads another's
-- as a command. The request itself stays as it was accepted.
alter table login_transactions add column progress jsonb not null default '{}';

-- What proves a person besides the password. The list and its types are Auth0's authentication methods.
create table authentication_methods (
  environment_id  text not null references environments on delete cascade,
  id              text not null,                      -- {type}|dev_…
  user_id         text not null,
  type            text not null check (type in
    ('totp', 'email', 'phone', 'recovery-code', 'webauthn-roaming', 'webauthn-platform', 'passkey')),
  confirmed       boolean not null,                   -- an enrolment that was begun proves nothing
  name            text,
  email           text,                               -- where a code is sent
  phone_number    text,
  secret          bytea,                              -- totp: sealed
  last_used_step  bigint,                             -- totp: a value is accepted once, so none at or before this step is
  code_hash       bytea,                              -- recovery code: it is replaced when it is used
  credential_id   text,                               -- WebAuthn: base64url, as the authenticator names it
  public_key      bytea,                              -- WebAuthn: COSE
  sign_count      bigint,                             -- WebAuthn: one that goes back is a copy
  transports      text[],
  relying_party_identifier text,                      -- WebAuthn: the host it was made for; worth nothing at another
  credential_device_type   text,                      -- single_device, multi_device
  credential_backed_up     boolean,
  user_agent      text,
  created_at      timestamptz not null,
  enrolled_at     timestamptz,
  last_auth_at    timestamptz,
  primary key (environment_id, id),
  foreign key (environment_id, user_id) references users on delete cascade
);
create index authentication_methods_user on authentication_methods (environment_id, user_id, created_at);
-- A credential belongs to one person of an environment, whoever presents it.
create unique index authentication_methods_credential on authentication_methods (environment_id, credential_id);
create unique index authentication_methods_recovery on authentication_methods (environment_id, user_id)
  where type = 'recovery-code';
call isolate('authentication_methods');
