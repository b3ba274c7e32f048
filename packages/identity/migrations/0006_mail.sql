-- Tickets, mail that an environment words and sends itself, and the look of its pages.

-- Links that prove an address or set a password. Redeeming deletes by the primary key: one statement, one winner.
create table tickets (
  environment_id            text not null references environments on delete cascade,
  handle_hash               bytea not null,          -- of the handle in the link
  kind                      text not null check (kind in ('email_verification', 'password_change')),
  user_id                   text not null,
  email                     text,                    -- the address it was made for: moved on, the ticket is worth nothing
  result_url                text,                    -- where the person goes afterwards; without it a page says so
  include_email_in_redirect boolean not null default false,
  mark_email_as_verified    boolean not null default false, -- whoever sets the password through it reads the mailbox
  client_id                 text,                    -- whose look the page has
  organization_id           text,
  created_at                timestamptz not null,
  expires_at                timestamptz not null,
  primary key (environment_id, handle_hash),
  foreign key (environment_id, user_id) references users on delete cascade
);
-- A changed password ends every other ticket of that person; removing the person removes them by this key too.
create index tickets_user on tickets (environment_id, user_id);
-- Upkeep removes what has expired, across environments.
create index tickets_expired on tickets (expires_at);

-- How an environment words a mail. Without a row the mail is worded as it comes with the program.
create table email_templates (
  environment_id            text not null references environments on delete cascade,
  template                  text not null,           -- verify_email, reset_email, …
  body                      text,                    -- Liquid
  sender                    text,                    -- the wire's `from`: an address, or a name and <address>; Liquid
  result_url                text,                    -- Liquid
  subject                   text,                    -- Liquid
  url_lifetime_in_seconds   integer,
  include_email_in_redirect boolean,
  enabled                   boolean not null default true,  -- off: this mail is not sent
  primary key (environment_id, template)
);

-- The mail server of an environment; without one, mail leaves by the server of the installation.
create table email_providers (
  environment_id       text primary key references environments on delete cascade,
  name                 text not null,                -- smtp
  enabled              boolean not null,
  default_from_address text,
  smtp_host            text not null,
  smtp_port            integer not null,
  smtp_user            text,
  smtp_pass            bytea,                        -- sealed for this host and port: moved elsewhere it opens nothing
  updated_at           timestamptz not null
);

-- Who a mail says it is from, where its template names somebody.
alter table messages add column sender text;

-- A verification mail is a job to whoever asks for it; it is done when it is written.
alter table jobs drop constraint jobs_type_check;
alter table jobs add constraint jobs_type_check
  check (type in ('users_import', 'users_export', 'verification_email'));

-- The look of an environment's pages and mails.
create table branding (
  environment_id text primary key references environments on delete cascade,
  settings       jsonb not null default '{}',        -- {colors?, logo_url?, favicon_url?}, checked when they come in
  page_template  text                                -- Liquid around the pages of Universal Login
);
create table branding_themes (
  environment_id text not null references environments on delete cascade,
  id             text not null,
  theme          jsonb not null,                     -- borders, colors, fonts, page_background, widget, as on the wire
  created_at     timestamptz not null,
  primary key (environment_id, id)
);
-- The first one is the default; only that one is shown.
create index branding_themes_default on branding_themes (environment_id, created_at, id);

do $$
declare t regclass;
begin
  foreach t in array array[
    'tickets', 'email_templates', 'email_providers', 'branding', 'branding_themes']::regclass[]
  loop
    call isolate(t);
  end loop;
  foreach t in array array['branding', 'branding_themes']::regclass[]
  loop
    call announce(t);
  end loop;
end $$;
