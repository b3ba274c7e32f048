create table contacts (
  id         text primary key,
  company_id text not null,
  name       text not null,
  email      text not null unique
);
create table orders (
  id         text primary key,
  company_id text not null,
  contact_id text not null references contacts,
  product    text not null
);
