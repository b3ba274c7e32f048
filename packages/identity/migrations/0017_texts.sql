-- What an environment's pages say instead of our own texts, under Auth0's names.
create table prompt_texts (
  environment_id text not null references environments on delete cascade,
  prompt         text not null,
  language       text not null,
  texts          jsonb not null,                     -- {screen: {name: text}}, each one of ours
  primary key (environment_id, prompt, language)
);
-- What stands inside the forms of its pages.
create table prompt_partials (
  environment_id text not null references environments on delete cascade,
  prompt         text not null,
  partials       jsonb not null,                     -- {screen: {insertion point: Liquid}}
  primary key (environment_id, prompt)
);
call isolate('prompt_texts');
call isolate('prompt_partials');
call announce('prompt_texts');
call announce('prompt_partials');
