-- What clients may do beyond: sign in from their own pages, and sign what they ask for.
alter table clients
  add column cross_origin_authentication boolean not null default false,
  add column signed_request_object jsonb;            -- {required, credentials: [{id}]} (RFC 9101)

-- A person who has proven who they are to a page of the client's own, on the way to /authorize. It is good once, for the
-- client and the browser that it was made for.
create table login_tickets (
  environment_id text not null references environments on delete cascade,
  ticket_hash    bytea not null,
  browser_hash   bytea not null,
  client_id      text not null,
  user_id        text not null,
  connection_id  text not null,
  amr            text[] not null,                    -- what was proven
  provider       text not null,                      -- the identity it was proven with, and
  identity_id    text not null,
  proof_hash     bytea not null,                     -- whether its password is still that one
  issuer         text not null,
  expires_at     timestamptz not null,
  primary key (environment_id, ticket_hash),
  foreign key (environment_id, client_id) references clients on delete cascade,
  foreign key (environment_id, user_id) references users on delete cascade
);
create index login_tickets_client on login_tickets (environment_id, client_id);
create index login_tickets_user on login_tickets (environment_id, user_id);
create index login_tickets_expired on login_tickets (expires_at);
call isolate('login_tickets');
