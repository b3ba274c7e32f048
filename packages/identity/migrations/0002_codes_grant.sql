-- Removing a grant, or a person with their grants, removes codes by this key.
create index codes_grant on codes (environment_id, grant_id);
