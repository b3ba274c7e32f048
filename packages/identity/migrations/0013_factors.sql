-- Second factors: which an environment uses, what is being asked of somebody, and how often they may answer.

-- Without a row nothing is on and nothing is demanded.
create table guardian (
  environment_id text primary key references environments on delete cascade,
  factors        text[] not null default '{}',       -- those that are on, by Auth0's names
  policies       text[] not null default '{}',       -- all-applications, or nothing
  sms_templates  jsonb                               -- {enrollment_message, verification_message}, Liquid
);
call isolate('guardian');
call announce('guardian');

-- What somebody was sent and has to answer with: at most one for a method and a login (or a handle of the token endpoint).
-- Answering takes the row away, so an answer counts once.
create table factor_challenges (
  environment_id text not null references environments on delete cascade,
  handle_hash    bytea not null,
  method_id      text not null,                      -- not only of authentication_methods: a proven address needs no row there
  user_id        text not null,
  expected       text not null,                      -- of a code only a keyed hash
  expires_at     timestamptz not null,
  primary key (environment_id, handle_hash, method_id),
  foreign key (environment_id, user_id) references users on delete cascade
);
create index factor_challenges_user on factor_challenges (environment_id, user_id);
create index factor_challenges_expired on factor_challenges (expires_at);
call isolate('factor_challenges');

-- Tries of a person over all their logins: six digits are guessed in a day by whoever may begin anew (CWE-307).
create table factor_tries (
  environment_id text not null references environments on delete cascade,
  user_id        text not null,
  kind           text not null check (kind in ('answer', 'message')),
  tries          integer not null,
  window_ends_at timestamptz not null,
  primary key (environment_id, user_id, kind),
  foreign key (environment_id, user_id) references users on delete cascade
);
call isolate('factor_tries');

-- Browsers in which a person is not asked again for a while. Two people may use one browser.
create table remembered_browsers (
  environment_id text not null references environments on delete cascade,
  handle_hash    bytea not null,                     -- of the cookie
  user_id        text not null,
  created_at     timestamptz not null,
  expires_at     timestamptz not null,
  primary key (environment_id, handle_hash, user_id),
  foreign key (environment_id, user_id) references users on delete cascade
);
create index remembered_browsers_user on remembered_browsers (environment_id, user_id);
create index remembered_browsers_expired on remembered_browsers (expires_at);
call isolate('remembered_browsers');

-- When the second factor was proven; what was proven first has auth_time.
alter table sessions add column mfa_at timestamptz;
alter table grants add column mfa_at timestamptz;

-- An enrolment that nobody finished is removed after a day.
create index authentication_methods_begun on authentication_methods (created_at) where not confirmed;
