import { newId, randomText } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { isDomainName } from '../../domain-name.ts'
import type { CreateDomain, DiscoveryDomain } from './schema.ts'
import type { DomainRow } from './store.ts'

export const problems = defineProblems({
  inexistent_discovery_domain: { status: 404, title: 'The organization has no such discovery domain.' },
  discovery_domain_conflict: { status: 409, title: 'The organization has this discovery domain already.' },
  discovery_domain_taken: { status: 409, title: 'Another organization has verified this domain.' },
  too_many_discovery_domains: { status: 400, title: 'An organization has at most {limit} discovery domains.' },
  invalid_body: { status: 400, title: 'Payload validation error: {reason}' },
})

export const DOMAINS_PER_ORGANIZATION = 100

/** @throws Problem `invalid_body` */
export function claimed(asked: CreateDomain, organizationId: string, now: Date): DomainRow {
  const domain = asked.domain.toLowerCase()
  if (!isDomainName(domain)) {
    throw problems.invalid_body({ facts: { reason: "'domain' must be a domain name such as example.com." } })
  }
  return {
    id: newId.discoveryDomain(),
    organization_id: organizationId,
    domain,
    status: asked.status ?? 'pending',
    use_for_organization_discovery: asked.use_for_organization_discovery ?? true,
    verification_txt: `tenantry-domain-verification=${randomText(40)}`,
    created_at: now,
  }
}

/** A discovery domain as the API shows it. */
export const shown = ({ organization_id: _, created_at: __, ...row }: DomainRow): DiscoveryDomain => ({
  ...row,
  verification_host: `_tenantry-challenge.${row.domain}`,
})
