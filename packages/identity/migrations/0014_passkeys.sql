-- Passkeys and security keys (WebAuthn). What a person has is in authentication_methods; here is what is under way.

alter table authentication_methods
  add column user_handle text,                       -- WebAuthn: whom the authenticator was told it serves; base64url
  add column aaguid      text;                       -- WebAuthn: the model of the authenticator

-- What an authenticator was asked to sign. A challenge belongs to one login under way, one session or one call of the API,
-- for one purpose, and is taken out by whoever answers it: a second answer finds nothing. It is no secret.
create table webauthn_challenges (
  environment_id text not null references environments on delete cascade,
  holder         bytea not null,                     -- hash of the state, session or handle that it belongs to
  purpose        text not null check (purpose in ('sign-in', 'second-factor', 'enrollment', 'sign-up')),
  challenge      text not null,                      -- base64url, 32 random bytes
  user_id        text,                               -- whose it is, where that is known
  details        jsonb not null default '{}',        -- what the answer must fit besides
  expires_at     timestamptz not null,
  primary key (environment_id, holder, purpose),
  foreign key (environment_id, user_id) references users on delete cascade
);
call isolate('webauthn_challenges');
create index webauthn_challenges_user on webauthn_challenges (environment_id, user_id) where user_id is not null;

-- Who said "not now" when a passkey was offered, and until when the question is not asked again.
create table passkey_postponements (
  environment_id text not null references environments on delete cascade,
  user_id        text not null,
  until          timestamptz not null,
  primary key (environment_id, user_id),
  foreign key (environment_id, user_id) references users on delete cascade
);
call isolate('passkey_postponements');
