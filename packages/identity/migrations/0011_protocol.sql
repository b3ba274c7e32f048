-- The authorization and token machinery: every response type, pushed requests, proofs of possession.

-- Sign-ins under way asked for a code: nothing else could be asked for when they began.
update login_transactions set request = request || '{"response_type": ["code"]}' where not request ? 'response_type';

-- Clients and APIs ------------------------------------------------------------------------------------------------------

alter table clients
  add column require_pushed_authorization_requests boolean not null default false,
  add column par_request_expiry integer,             -- seconds; null: the usual 30
  add column require_proof_of_possession boolean not null default false;

alter table resource_servers add column proof_of_possession jsonb; -- {mechanism: dpop, required, required_for?}

-- Pushed authorization requests (RFC 9126) ------------------------------------------------------------------------------

create table pushed_requests (
  environment_id text not null references environments on delete cascade,
  handle_hash    bytea not null,                     -- of what follows urn:ietf:params:oauth:request_uri:
  client_id      text not null,
  issuer         text not null,                      -- good at this origin only
  parameters     jsonb not null,                     -- as they were pushed; checked again when they are used
  expires_at     timestamptz not null,
  primary key (environment_id, handle_hash),
  foreign key (environment_id, client_id) references clients on delete cascade
);
create index pushed_requests_expired on pushed_requests (expires_at);
call isolate('pushed_requests');

-- Proofs of possession (RFC 9449) ---------------------------------------------------------------------------------------

-- A code and a refresh token that only the holder of this key may exchange (the key's thumbprint, RFC 7638).
alter table codes add column dpop_jkt text;
alter table refresh_tokens add column dpop_jkt text;

-- Proofs that were used, until they are too old anyway: each is good once.
create table dpop_proofs (
  environment_id text not null references environments on delete cascade,
  proof_hash     bytea not null,                     -- of the key's thumbprint and the proof's jti
  expires_at     timestamptz not null,
  primary key (environment_id, proof_hash)
);
create index dpop_proofs_expired on dpop_proofs (expires_at);
call isolate('dpop_proofs');
