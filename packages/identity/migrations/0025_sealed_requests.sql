-- A pushed request may carry the ticket of an invitation, a hint about a person, an ID token: it rests sealed like other
-- secrets. Those that wait live for seconds; who pushed one pushes it again.
delete from pushed_requests;
alter table pushed_requests drop column parameters, add column sealed bytea not null;

-- How many text messages an environment sends at most.
alter table attack_protection add column text_messages jsonb;
