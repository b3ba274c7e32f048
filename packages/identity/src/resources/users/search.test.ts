import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
let env: TestEnvironment

const created = (day: string) => new Date(`${day}T12:00:00Z`)

const PEOPLE = [
  {
    user_id: 'auth0|anna',
    email: 'Anna.Reed@example.test',
    name: 'Anna Reed',
    nickname: 'anna',
    given_name: 'Anna',
    email_verified: true,
    app_metadata: { plan: 'Basic', limits: { seats: 5 }, tags: ['red', 'Blue'], vip: true },
    user_metadata: { theme: 'dark', addresses: [{ city: 'Paris' }, { city: 'Rome' }] },
    created_at: created('2026-01-10'),
    last_login: created('2026-03-01'),
    logins_count: 7,
    last_ip: '192.0.2.1',
  },
  {
    user_id: 'auth0|ben',
    email: 'ben@other.test',
    name: 'Ben "the" O’Neil',
    nickname: 'benny',
    family_name: 'O’Neil',
    blocked: true,
    app_metadata: { plan: 'pro', limits: { seats: 50 }, code: '42', note: null },
    created_at: created('2026-02-10'),
    logins_count: 0,
  },
  {
    user_id: 'auth0|cleo',
    email: 'cleo@example.test',
    name: 'Cleo Annabel',
    email_verified: true,
    app_metadata: { code: 42, percent: '100%_' },
    created_at: created('2026-03-10'),
    logins_count: 3,
  },
]

const write = async (target: TestEnvironment) =>
  identity.database.inEnvironment(target.id, async (tx) => {
    for (const { app_metadata, user_metadata = {}, ...person } of PEOPLE) {
      await tx`insert into users ${tx({
        environment_id: target.id,
        connection_id: 'con_people',
        app_metadata: tx.json(app_metadata),
        user_metadata: tx.json(user_metadata),
        ...person,
      })}`
    }
  })

async function withPeople() {
  const target = await identity.environment()
  await identity.database.inEnvironment(
    target.id,
    (tx) =>
      tx`insert into connections ${tx({ environment_id: target.id, id: 'con_people', name: 'people', strategy: 'auth0' })}`,
  )
  await write(target)
  return target
}

before(async () => {
  identity = await startIdentity()
  env = await withPeople()
  // The same people elsewhere: nothing of them may ever be found here.
  await withPeople()
})
after(() => identity.close())

const ask = (q: string, more = '') => env.manage('GET', `/users?q=${encodeURIComponent(q)}${more}`)
const found = async (q: string, more = '') => {
  const answer = await ask(q, more)
  assert.equal(answer.status, 200, `${q}: ${answer.text}`)
  return answer.json.map((user: { user_id: string }) => user.user_id.slice(6)).join(' ')
}

const ALL = 'anna ben cleo'

test('texts are found whole whatever their case, by prefix and by part', async () => {
  for (const [q, expected] of [
    ['email:"anna.reed@EXAMPLE.test"', 'anna'],
    ['email:anna.reed@example.test', 'anna'],
    ['email:anna', ''],
    ['email:anna*', 'anna'],
    ['email:*example*', 'anna cleo'],
    ['email.domain:example.test', 'anna cleo'],
    ['name:"anna reed"', 'anna'],
    ['name:anna', ''],
    ['name:anna*', 'anna'],
    ['name:*anna*', 'anna cleo'],
    ['name:Anna\\ Reed', 'anna'],
    ['name:"Ben \\"the\\" O’Neil"', 'ben'],
    ['nickname:BENNY', 'ben'],
    ['given_name:anna', 'anna'],
    ['family_name:o*', 'ben'],
    ['user_id:auth0|anna', 'anna'],
    ['user_id:"auth0|ben"', 'ben'],
    ['last_ip:192.0.2.1', 'anna'],
    ['"anna reed" OR ben@other.test OR auth0|cleo', ALL],
    ['anna*', 'anna'],
    ['anna', ''],
    ['user_id:AUTH0|anna', ''],
    ['identities.connection:people', ALL],
    ['identities.provider:auth0', ALL],
    ['identities.user_id:cleo', 'cleo'],
    ['name:[b TO c]', 'ben'],
    ['*', ALL],
    ['*:*', ALL],
  ] as const) {
    assert.equal(await found(q), expected, q)
  }
})

test('flags, numbers and times are compared as what they are; a day means all of it', async () => {
  for (const [q, expected] of [
    ['email_verified:true', 'anna cleo'],
    ['blocked:true', 'ben'],
    ['blocked:false', 'anna cleo'],
    ['logins_count:0', 'ben'],
    ['logins_count:>=3', 'anna cleo'],
    ['logins_count:{3 TO 7]', 'anna'],
    ['logins_count:[* TO 3}', 'ben'],
    ['created_at:2026-02-10', 'ben'],
    ['created_at:2026-02', 'ben'],
    ['created_at:2026', ALL],
    ['created_at:[2026-01-10 TO 2026-02-10]', 'anna ben'],
    ['created_at:{2026-01-10 TO 2026-03-10}', 'ben'],
    ['created_at:>=2026-02-10T12:00:00Z', 'ben cleo'],
    ['created_at:>2026-02-10T12:00:00.000Z', 'cleo'],
    ['created_at:"2026-02-10T12:00:00Z"', 'ben'],
    ['last_login:[* TO 2027]', 'anna'],
    ['NOT last_login:[* TO 2027]', 'ben cleo'],
  ] as const) {
    assert.equal(await found(q), expected, q)
  }
})

test('metadata is found at any depth, through lists, as text, number and flag, and by range and presence', async () => {
  for (const [q, expected] of [
    ['app_metadata.plan:basic', 'anna'],
    ['app_metadata.plan:"PRO"', 'ben'],
    ['app_metadata.limits.seats:5', 'anna'],
    ['app_metadata.limits.seats:[5 TO 50}', 'anna'],
    ['app_metadata.limits.seats:>5', 'ben'],
    ['app_metadata.tags:blue', 'anna'],
    ['user_metadata.addresses.city:rome', 'anna'],
    ['user_metadata.theme:da*', 'anna'],
    ['user_metadata.theme:*ark*', 'anna'],
    ['app_metadata.vip:TRUE', 'anna'],
    ['app_metadata.limits.seats:005', 'anna'],
    ['app_metadata.limits.seats:-5.0', ''],
    ['app_metadata.code:42', 'ben cleo'],
    ['app_metadata.code:"42"', 'ben'],
    ['app_metadata.percent:"100%_"', 'cleo'],
    ['app_metadata.percent:1*', 'cleo'],
    ['_exists_:app_metadata.plan', 'anna ben'],
    ['_exists_:app_metadata.note', ''],
    ['NOT _exists_:app_metadata.plan', 'cleo'],
    ['_exists_:last_login', 'anna'],
    ['app_metadata.plan:(basic OR pro) AND blocked:true', 'ben'],
    ['-app_metadata.plan:pro', 'anna cleo'],
    ['email_verified:true -app_metadata.code:42', 'anna'],
    ['app_metadata.nothing:x', ''],
  ] as const) {
    assert.equal(await found(q), expected, q)
  }
})

test('pieces of metadata that many people have are found too, in the order of the list', async () => {
  const crowded = await withPeople()
  await identity.database.inEnvironment(
    crowded.id,
    (tx) => tx`
      insert into users (environment_id, user_id, connection_id, created_at, app_metadata)
      select ${crowded.id}, 'auth0|many' || n, 'con_people', '2020-01-01'::timestamptz + n * interval '1 minute',
        '{"plan": "many", "tags": ["x"]}'
      from generate_series(1, 1200) n`,
  )
  const first = await crowded.manage(
    'GET',
    '/users?q=app_metadata.plan:MANY&per_page=2&include_totals=true&fields=user_id',
  )
  assert.deepEqual(first.json, {
    start: 0,
    limit: 2,
    length: 2,
    total: 1200,
    users: [{ user_id: 'auth0|many1' }, { user_id: 'auth0|many2' }],
  })
  const both = await crowded.manage('GET', '/users?q=app_metadata.tags:x%20AND%20app_metadata.plan:many&per_page=1')
  assert.equal(both.json[0].user_id, 'auth0|many1')
})

test('a search goes together with sorting, paging, totals, a connection and fields', async () => {
  assert.equal(await found('email_verified:true', '&sort=created_at:-1'), 'cleo anna')
  assert.equal(await found('*', '&sort=email:-1'), 'cleo ben anna')
  assert.equal(await found('*', '&sort=name:1'), 'anna ben cleo')
  assert.equal(await found('*', '&sort=last_login:-1'), 'anna cleo ben')
  assert.equal(await found('*', '&sort=last_login:1&search_engine=v3&primary_order=true'), 'ben cleo anna')
  assert.equal(await found('*', '&connection=people&search_engine=v2'), ALL)
  assert.equal(await found('*', '&connection=nowhere'), '')
  assert.deepEqual((await ask('blocked:false', '&include_totals=true&per_page=1&page=1&fields=name')).json, {
    start: 1,
    limit: 1,
    length: 1,
    total: 2,
    users: [{ name: 'Cleo Annabel' }],
  })
  assert.equal((await ask('*', '&page=11&per_page=100')).json.errorCode, 'invalid_paging')
  assert.equal((await ask('*', '&search_engine=v1')).status, 400)
})

test('N134 what is no query, no field or no value of its kind is refused with its position, and nothing is run', async () => {
  for (const [q, message] of [
    ['password_hash:*', "Invalid query in 'q' at position 1: there is no field 'password_hash' to search in."],
    [
      'name:anna AND environment_id:x',
      "Invalid query in 'q' at position 15: there is no field 'environment_id' to search in.",
    ],
    ['constructor:x', "Invalid query in 'q' at position 1: there is no field 'constructor' to search in."],
    ['app_metadata:x', "Invalid query in 'q' at position 1: there is no field 'app_metadata' to search in."],
    ['app_metadata..x:y', "Invalid query in 'q' at position 1: there is no field 'app_metadata..x' to search in."],
    ['blocked:maybe', "Invalid query in 'q' at position 1: 'blocked' is true or false."],
    ['logins_count:many', "Invalid query in 'q' at position 1: 'logins_count' is a number."],
    ['logins_count:[1 TO x]', "Invalid query in 'q' at position 1: 'logins_count' is a number."],
    [
      'created_at:soon',
      "Invalid query in 'q' at position 1: 'created_at' is a time, such as 2026-11-24 or 2026-11-24T09:30:00Z.",
    ],
    [
      'created_at:2026-13-45',
      "Invalid query in 'q' at position 1: 'created_at' is a time, such as 2026-11-24 or 2026-11-24T09:30:00Z.",
    ],
    ['[a TO b]', "Invalid query in 'q' at position 1: a term is no range without a field."],
    ['name:(anna', "Invalid query in 'q' at position 6: the '(' is never closed."],
  ] as const) {
    const answer = await ask(q)
    assert.deepEqual(
      answer.json,
      { statusCode: 400, error: 'Bad Request', message, errorCode: 'invalid_query_string' },
      `${q}: ${answer.text}`,
    )
  }
  assert.equal((await ask('x'.repeat(4097))).status, 400)
  assert.equal((await ask('name:a\0b')).status, 400)
  for (const sort of ['email:1;drop table users', 'password_hash:1', "user_id:1'", 'email:2']) {
    assert.equal((await env.manage('GET', `/users?sort=${encodeURIComponent(sort)}`)).status, 400, sort)
  }
})

test('N134 SQL in a value is a value: nothing is found, and nobody is lost', async () => {
  const hostile = ["x' or '1'='1", "'; drop table users; --", '%', '_', '\\', '$1', "{'a':1}", '{"a":1}', 'a"b']
  for (const text of hostile) {
    const quoted = `"${text.replace(/["\\]/g, '\\$&')}"`
    for (const field of ['name', 'email', 'user_id', 'app_metadata.plan', 'identities.connection']) {
      assert.equal(await found(`${field}:${quoted}`), '', `${field}:${quoted}`)
    }
    const member = text.replace(/[^\w'%$]/g, '\\$&').replaceAll('.', '')
    assert.equal(await found(`app_metadata.${member}:x`), '', member)
  }
  assert.equal(await found('*'), ALL)
})

test('N134 a search that takes too long ends by itself and says how to ask instead', async () => {
  const slow = await withPeople()
  await identity.database.acrossEnvironments('hold the table', (sql) =>
    sql.begin(async (tx) => {
      await tx`lock table user_identities in access exclusive mode`
      const answer = await slow.manage('GET', '/users?q=email:anna*')
      assert.equal(answer.status, 503, answer.text)
      assert.equal(answer.json.errorCode, 'search_timeout')
    }),
  )
  assert.equal((await slow.manage('GET', '/users?q=email:anna*')).json.length, 1)
})

test('N228 the function that asks by metadata sees the environment of the scope and no other', async () => {
  const ids = (environmentId: string) =>
    identity.database.inEnvironment(environmentId, async (tx) => {
      await tx`select set_config('search_path', 'pg_temp', true)`
      const path = '."app_metadata"."plan" ? (@ == "basic")'
      return (await tx<{ id: string }[]>`select public.users_by_metadata(${path}, 10) as id`).map(({ id }) => id)
    })
  assert.deepEqual(await ids(env.id), ['auth0|anna'])
  assert.deepEqual(await ids('env_nowhere'), [])
  assert.deepEqual(await ids(env.id.toLowerCase()), [])
})
