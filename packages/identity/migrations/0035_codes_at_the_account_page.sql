-- The client of a person's own account page stands in no table, and people sign in there with codes, too. A code whose client
-- is removed meanwhile is worth nothing without it, and gone within the hour.

alter table passwordless_codes drop constraint passwordless_codes_environment_id_client_id_fkey;
drop index passwordless_codes_client;
