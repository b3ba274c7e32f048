-- The password grant: whose address counts when a client signs people in from its own server.

-- Whether the header auth0-forwarded-for of this client is believed. Only clients that authenticate may have it.
alter table clients add column is_token_endpoint_ip_header_trusted boolean not null default false;
