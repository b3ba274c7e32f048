/** What users can be searched by. The query it is for names users `u`, their first identity `own`. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Query, Value } from '../search/lucene.ts'
import {
  type Condition,
  fieldsOf,
  flag,
  isNumber,
  number,
  type SearchField,
  type SearchFields,
  text,
  time,
  toCondition,
  within,
} from '../search/store.ts'

/** So few matches of a piece of metadata are looked up by their ids; more are found quickly in the order of the list. */
const FEW = 1000
/** Looking ahead for more pieces than these costs more than it saves. */
const PIECES = 10

/** @throws Problem `invalid_query_string` */
export async function condition(tx: Tx, query: Query): Promise<{ where: Condition }> {
  // Refuses what is wrong before anything is looked up.
  toCondition(tx, query, searchFields(new Map()))
  const where = toCondition(tx, query, searchFields(await lookAhead(tx, query)))
  // Wrapped: a statement that is awaited is executed.
  return { where }
}

/** Matches of pieces of metadata, by their path; absent where there are many. */
type Known = Map<string, string[]>

async function lookAhead(tx: Tx, query: Query): Promise<Known> {
  const known: Known = new Map()
  for (const { field, value } of matches(query).slice(0, PIECES)) {
    const path = metadataPath(field)
    if (!path || value.kind !== 'term') continue
    const sought = jsonPath(path, value)
    const [found] = await tx<{ ids: string[] }[]>`
      select array(select users_by_metadata(${sought}, ${FEW + 1})) as ids`
    if (found!.ids.length <= FEW) known.set(sought, found!.ids)
  }
  return known
}

function matches(query: Query): { field: string; value: Value }[] {
  if (query.kind === 'match' && query.field !== undefined) return [{ field: query.field, value: query.value }]
  if (query.kind === 'and' || query.kind === 'or') return query.of.flatMap(matches)
  return query.kind === 'not' ? matches(query.of) : []
}

const searchFields = (known: Known): SearchFields =>
  fieldsOf(
    {
      user_id: text((tx) => tx`u.user_id`, { cased: true }),
      email: text((tx) => tx`own.email_key`, { lowered: true }),
      'email.domain': text((tx) => tx`split_part(own.email_key, '@', 2)`, { lowered: true }),
      username: text((tx) => tx`own.username_key`, { lowered: true }),
      name: text((tx) => tx`u.name_key`, { lowered: true }),
      nickname: text((tx) => tx`u.nickname`),
      given_name: text((tx) => tx`u.given_name`),
      family_name: text((tx) => tx`u.family_name`),
      phone_number: text((tx) => tx`own.phone_key`, { lowered: true }),
      last_ip: text((tx) => tx`u.last_ip`),
      email_verified: flag((tx) => tx`u.email_verified`),
      phone_verified: flag((tx) => tx`u.phone_verified`),
      blocked: flag((tx) => tx`u.blocked`),
      logins_count: number((tx) => tx`u.logins_count`),
      created_at: time((tx) => tx`u.created_at`),
      updated_at: time((tx) => tx`u.updated_at`),
      last_login: time((tx) => tx`u.last_login`),
      'identities.connection': ofIdentities(text((tx) => tx`ic.name`)),
      'identities.provider': ofIdentities(text((tx) => tx`i.provider`)),
      'identities.user_id': ofIdentities(text((tx) => tx`i.identity_id`, { cased: true })),
      'identities.profileData.email': ofLinked(text((tx) => tx`i.email_key`, { lowered: true })),
      'identities.profileData.username': ofLinked(text((tx) => tx`i.username_key`, { lowered: true })),
      'identities.profileData.phone_number': ofLinked(text((tx) => tx`i.phone_key`, { lowered: true })),
    },
    anywhere,
    (name) => {
      const path = metadataPath(name)
      return path && metadata(path, known)
    },
  )

/**
 * A term without a field is an address, a username, a name or an id. Each is asked by its own index: one condition over
 * columns of two tables would be asked of every user.
 */
const anywhere: SearchField = {
  exists: (tx) => tx`true`,
  match(tx, value) {
    if (value.kind === 'range') return 'is no range without a field.'
    const of = (column: (tx: Tx) => Condition, options: { lowered?: boolean; cased?: boolean }) =>
      text(column, options).match(tx, value) as Condition
    return tx`u.user_id in (
      select user_id from user_identities where is_primary and ${of(() => tx`email_key`, { lowered: true })}
      union select user_id from user_identities where is_primary and ${of(() => tx`username_key`, { lowered: true })}
      union select user_id from users where ${of(() => tx`name_key`, { lowered: true })}
      union select user_id from users where ${of(() => tx`user_id`, { cased: true })})`
  },
}

/** What linked identities keep of the users they were; a user's own is searched by its plain names. */
const ofLinked = (field: SearchField): SearchField => ofIdentities(field, (tx) => tx`not i.is_primary`)

/** True of a user when it is true of one of their identities. */
function ofIdentities(field: SearchField, among: (tx: Tx) => Condition = (tx) => tx`true`): SearchField {
  const some = (tx: Tx, inner: Condition) => tx`exists (
    select from user_identities i join connections ic on ic.id = i.connection_id
    where i.user_id = u.user_id and ${among(tx)} and ${inner})`
  return {
    exists: (tx) => some(tx, field.exists(tx)),
    match(tx, value) {
      const inner = field.match(tx, value)
      return typeof inner === 'string' ? inner : some(tx, inner)
    },
  }
}

/** `app_metadata.plan.name` as its members; undefined for anything else. */
function metadataPath(name: string): string[] | undefined {
  const path = name.split('.')
  const isMetadata = path[0] === 'user_metadata' || path[0] === 'app_metadata'
  return isMetadata && path.length >= 2 && path.length <= 10 && path.every((member) => member !== '') ? path : undefined
}

function metadata(path: string[], known: Known): SearchField {
  const [kind, ...members] = path
  const column = (tx: Tx) => (kind === 'app_metadata' ? tx`u.app_metadata` : tx`u.user_metadata`)
  const member = (tx: Tx) => tx`${column(tx)} #> ${members}::text[]`
  const plain = (tx: Tx) => tx`lower(${column(tx)} #>> ${members}::text[])`
  return {
    exists: (tx) => tx`coalesce(${member(tx)}, 'null') <> 'null'`,
    match(tx, value) {
      if (value.kind === 'term') {
        const sought = jsonPath(path, value)
        const ids = known.get(sought)
        if (ids) return tx`u.user_id = any (${ids}::text[])`
        // Inside coalesce the planner knows nothing and takes half of all users to match: it then reads them in the order
        // of the list until the page is full, instead of all of them to sort a few.
        return tx`coalesce(
          searched_metadata('', u.user_metadata, u.app_metadata) @? lower(${`$.""${sought}`}::text)::jsonpath, false)`
      }
      if (value.kind === 'prefix') return tx`starts_with(${plain(tx)}, lower(${value.text}::text))`
      if (value.kind === 'part') return tx`strpos(${plain(tx)}, lower(${value.text}::text)) > 0`
      const texts = [value.from?.text, value.to?.text].filter((bound) => bound !== undefined)
      if (!texts.every(isNumber)) {
        return within(tx, tx`${plain(tx)} collate "C"`, value, (bound) => tx`lower(${bound}::text)`)
      }
      const amount = tx`case when jsonb_typeof(${member(tx)}) = 'number' then (${plain(tx)})::numeric end`
      return within(tx, amount, value, (bound) => tx`${bound}::text::numeric`)
    },
  }
}

/**
 * A JSON path without its beginning. In its lax mode every step leads through a list as well, and a list has a value when
 * one of its members is it. `42` and `true` are looked for as what they are and as texts.
 */
function jsonPath(path: string[], { text, quoted }: { text: string; quoted: boolean }): string {
  const isFlag = /^(true|false)$/i.test(text)
  const typed = !quoted && (isFlag || isNumber(text)) ? ` || @ == ${isFlag ? text : Number(text)}` : ''
  // JSON's way of writing texts is a path's too.
  const steps = path.map((member) => `.${JSON.stringify(member)}`).join('')
  return `${steps} ? (@ == ${JSON.stringify(text)}${typed})`
}
