/** What users can be searched by. The query it is for names users `u`, their first identity `own`. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
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

/** Matches of pieces of metadata, by their text; absent where there are many. */
type Known = Map<string, string[]>

async function lookAhead(tx: Tx, query: Query): Promise<Known> {
  const known: Known = new Map()
  for (const { field, value } of matches(query).slice(0, PIECES)) {
    const path = metadataPath(field)
    if (!path || value.kind !== 'term') continue
    const pieces = piecesOf(path, value)
    const [found] = await tx<{ ids: string[] }[]>`
      select array(select users_by_metadata(
        array(select jsonb_array_elements(${tx.json(pieces)})), ${FEW + 1})) as ids`
    if (found!.ids.length <= FEW) known.set(JSON.stringify(pieces), found!.ids)
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
      user_id: text((tx) => tx`u.user_id`),
      email: text((tx) => tx`own.email_key`, { lowered: true }),
      'email.domain': text((tx) => tx`split_part(own.email_key, '@', 2)`, { lowered: true }),
      username: text((tx) => tx`own.username_key`, { lowered: true }),
      name: text((tx) => tx`u.name_key`, { lowered: true }),
      nickname: text((tx) => tx`u.nickname`),
      given_name: text((tx) => tx`u.given_name`),
      family_name: text((tx) => tx`u.family_name`),
      phone_number: text((tx) => tx`u.phone_number`),
      last_ip: text((tx) => tx`u.last_ip`),
      email_verified: flag((tx) => tx`u.email_verified`),
      blocked: flag((tx) => tx`u.blocked`),
      logins_count: number((tx) => tx`u.logins_count`),
      created_at: time((tx) => tx`u.created_at`),
      updated_at: time((tx) => tx`u.updated_at`),
      last_login: time((tx) => tx`u.last_login`),
      'identities.connection': ofIdentities(text((tx) => tx`ic.name`)),
      'identities.provider': ofIdentities(text((tx) => tx`i.provider`)),
      'identities.user_id': ofIdentities(text((tx) => tx`i.identity_id`)),
    },
    ['email', 'name', 'nickname', 'given_name', 'family_name', 'username', 'user_id'],
    (name) => {
      const path = metadataPath(name)
      return path && metadata(path, known)
    },
  )

/** True of a user when it is true of one of their identities. */
function ofIdentities(field: SearchField): SearchField {
  const some = (tx: Tx, inner: Condition) => tx`exists (
    select from user_identities i join connections ic on ic.id = i.connection_id
    where i.user_id = u.user_id and ${inner})`
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
        const pieces = piecesOf(path, value)
        const ids = known.get(JSON.stringify(pieces))
        if (ids) return tx`u.user_id = any (${ids}::text[])`
        return tx`searched_metadata('', u.user_metadata, u.app_metadata) @> any (array(
          select lower(jsonb_build_object('', piece)::text)::jsonb
          from jsonb_array_elements(${tx.json(pieces)}) as s (piece)))`
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
 * What metadata must contain: the value itself, or a list with it, where any one step of the path may lead through a list
 * as well. `42` and `true` are looked for as what they are and as texts.
 */
function piecesOf(path: string[], value: { text: string; quoted: boolean }): JSONValue[] {
  const typed: JSONValue[] = [value.text]
  if (!value.quoted && isNumber(value.text)) typed.push(Number(value.text))
  if (!value.quoted && /^(true|false)$/i.test(value.text)) typed.push(value.text.toLowerCase() === 'true')
  const lists = path.map((_, index) => index)
  return typed.flatMap((leaf) =>
    lists.map((list) =>
      path.reduceRight<JSONValue>(
        (inner, member, index) => ({ [member]: list > 0 && index === list ? [inner] : inner }),
        leaf,
      ),
    ),
  )
}
