-- Exchanging a person's token for one that a service needs to act for them (RFC 8693).

-- Which kinds of exchange a client may make, and the API that it is the service of: tokens for that API are its to exchange.
alter table clients
  add column token_exchange_types       text[] not null default '{}',
  add column resource_server_identifier text;
alter table clients add constraint client_resource_server
  foreign key (environment_id, resource_server_identifier) references resource_servers (environment_id, identifier)
  on update cascade on delete set null (resource_server_identifier);
create index clients_resource_server on clients (environment_id, resource_server_identifier)
  where resource_server_identifier is not null;

-- The grant of the token that was exchanged. Revoking it, or one further up, ends all exchanges that start from it.
alter table grants add column exchanged_from text;
alter table grants add constraint grant_exchanged_from
  foreign key (environment_id, exchanged_from) references grants on delete cascade;
create index grants_exchanged_from on grants (environment_id, exchanged_from) where exchanged_from is not null;
