import { problems } from './rules.ts'

/**
 * The two queries that Auth0 knows: `client_grant.organization_id:…` and `client_grant.allow_any_organization:true`.
 *
 * @throws Problem `invalid_query_string`
 */
export function searched(query: { q?: string; from?: string; take?: number }): {
  grant_organization_id?: string
  grant_allows_any_organization?: true
} {
  if (query.q === undefined) return {}
  const { q, take, from, ...others } = query
  if (take === undefined && from === undefined) throw refuseQuery("'q' needs checkpoint pagination: send 'take'.")
  if (Object.keys(others).some((name) => !['fields', 'include_fields'].includes(name))) {
    throw refuseQuery("'q' cannot be combined with other filters.")
  }
  const organization = /^client_grant\.organization_id:"?(org_[A-Za-z0-9]{1,32})"?$/.exec(q)?.[1]
  if (organization) return { grant_organization_id: organization }
  if (q === 'client_grant.allow_any_organization:true') return { grant_allows_any_organization: true }
  throw refuseQuery("'q' must be client_grant.organization_id:{id} or client_grant.allow_any_organization:true.")
}

const refuseQuery = (reason: string) => problems.invalid_query_string({ facts: { reason } })
