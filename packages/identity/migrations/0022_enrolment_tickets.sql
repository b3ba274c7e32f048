-- Links with which somebody adds a second factor without signing in. An administrator makes them; each works once.
create table enrolment_tickets (
  environment_id text not null references environments on delete cascade,
  handle_hash    bytea not null,                     -- of the handle in the link
  user_id        text not null,
  factor         text,                               -- the only one that may be added; null: any that is on
  allow_multiple boolean not null,                   -- also for somebody who has a factor
  created_at     timestamptz not null,
  expires_at     timestamptz not null,
  primary key (environment_id, handle_hash),
  foreign key (environment_id, user_id) references users on delete cascade
);
create index enrolment_tickets_user on enrolment_tickets (environment_id, user_id);
create index enrolment_tickets_expired on enrolment_tickets (expires_at);
call isolate('enrolment_tickets');
