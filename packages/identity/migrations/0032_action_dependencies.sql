-- The packages that an action names, as they were asked for: a configuration that is read back must be the one that was
-- written. What runs is the version that is here.
alter table actions add column dependencies jsonb not null default '[]';         -- [{name, version}]
alter table action_versions add column dependencies jsonb not null default '[]';
