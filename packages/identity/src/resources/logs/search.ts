/** The two languages in which entries are looked for: `q`, as in the other searches, and the simpler `search`. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import { parseLucene, type Query, refuse } from '../search/lucene.ts'
import { type Condition, fieldsOf, text, time, toCondition } from '../search/store.ts'
import { tokensOf } from '../search/tokens.ts'

const clientName = text((tx) => tx`client_name`)
const userName = text((tx) => tx`user_name`)

const fields = fieldsOf(
  {
    // Codes are lower case, so the index finds them.
    type: text((tx) => tx`type`, { lowered: true }),
    description: text((tx) => tx`description`),
    connection: text((tx) => tx`connection`),
    connection_id: text((tx) => tx`connection_id`, { cased: true }),
    client_id: text((tx) => tx`client_id`, { cased: true }),
    client_name: clientName,
    application: clientName,
    ip: text((tx) => tx`ip`),
    user_agent: text((tx) => tx`user_agent`),
    hostname: text((tx) => tx`hostname`),
    user_id: text((tx) => tx`user_id`, { cased: true }),
    user_name: userName,
    user: userName,
    strategy: text((tx) => tx`strategy`),
    strategy_type: text((tx) => tx`strategy_type`),
    audience: text((tx) => tx`audience`),
    scope: text((tx) => tx`scope`),
    organization_id: text((tx) => tx`organization_id`, { cased: true }),
    organization_name: text((tx) => tx`organization_name`),
    date: time((tx) => tx`date`),
  },
  ['client_name', 'connection', 'user_name'],
)

export interface Asked {
  q?: string | undefined
  search?: string | undefined
}

export const isSearch = ({ q, search }: Asked): boolean => [q, search].some((given) => given?.trim())

/** @throws Problem `invalid_query_string` */
export function conditionOf(tx: Tx, { q, search }: Asked): Condition {
  const of = [...(q?.trim() ? [parseLucene(q)] : []), ...(search ? simple(search) : [])]
  return of.length === 0 ? tx`true` : toCondition(tx, { kind: 'and', of }, fields)
}

/** Words and `field:word` side by side, of which all must hold: a bare word is how a text begins, a quoted one is all of it. */
function simple(search: string): Query[] {
  const of: Query[] = []
  let field: string | undefined
  for (const { kind, text: word, value, position } of tokensOf(search, refuse)) {
    if (kind === 'field' && field === undefined) field = word
    else if (value) {
      const begins = value.kind === 'term' && !value.quoted
      of.push({ kind: 'match', field, value: begins ? { kind: 'prefix', text: value.text } : value, position })
      field = undefined
    } else if (kind !== 'end' || field !== undefined) {
      throw refuse(position, "'search' has words, \"phrases\" and fields with one of them; operators belong into 'q'.")
    }
  }
  return of
}
