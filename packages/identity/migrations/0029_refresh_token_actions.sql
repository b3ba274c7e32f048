-- What an Action said of how long a token may rest until its next use: holds beside the client's setting of then.
alter table refresh_tokens add column idle_limit timestamptz;
