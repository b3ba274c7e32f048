import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Found, Page } from '../../paging.ts'
import type { Query } from '../../search/lucene.ts'
import { exact } from '../../search/query.ts'
import { fieldsOf, limited, text, time, toCondition } from '../../search/store.ts'
import { type ListedOrganizationRow, list } from '../store.ts'

const METADATA = 'metadata.'

const fields = fieldsOf(
  {
    id: exact((tx) => tx`o.organization_id`),
    // Names are lower case already, so the index finds them.
    name: text((tx) => tx`o.name`, { lowered: true }),
    display_name: text((tx) => tx`o.display_name`),
    created_at: time((tx) => tx`o.created_at`),
  },
  ['name', 'display_name'],
  (name) =>
    name.startsWith(METADATA) && name.length > METADATA.length
      ? text((tx) => tx`(o.metadata ->> ${name.slice(METADATA.length)})`)
      : undefined,
)

/** @throws Problem `invalid_query_string`, `invalid_paging`, `search_timeout` */
export const search = (tx: Tx, query: Query, page: Page, sort: string): Promise<Found<ListedOrganizationRow>> => {
  const condition = toCondition(tx, query, fields)
  return limited(tx, () => list(tx, page, { sort: `${sort}:1`, condition }))
}
