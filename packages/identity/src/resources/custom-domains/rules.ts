import { newId, randomText } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { isDomainName } from '../domain-name.ts'
import { refuseActive, unsupported } from '../inert.ts'
import { type CreateCustomDomain, type CustomDomain, inert, type UpdateCustomDomain } from './schema.ts'
import type { CustomDomainRow } from './store.ts'

export const problems = defineProblems({
  inexistent_custom_domain: { status: 404, title: 'The custom domain does not exist.' },
  custom_domain_conflict: { status: 409, title: 'The domain is in use already.' },
  custom_domain_identifies_api: {
    status: 409,
    title: "The resource server '{identifier}' has the name that the Management API would get at this domain.",
  },
  too_many_custom_domains: { status: 403, title: 'An environment has at most {limit} custom domains.' },
  custom_domain_not_ready: {
    status: 400,
    title: 'The domain is not verified. Only a verified one can be the default.',
  },
  invalid_body: { status: 400, title: 'Payload validation error: {reason}' },
})

export const DOMAINS_PER_ENVIRONMENT = 20

const refuse = (reason: string) => problems.invalid_body({ facts: { reason } })

/** A claim, unproven. @throws Problem `invalid_body`, `operation_not_supported` */
export function claimed(asked: CreateCustomDomain, now: Date): CustomDomainRow {
  // Certificates come from whoever ends TLS in front of the server: it obtains none itself.
  if (asked.type !== 'self_managed_certs') throw unsupported('type')
  refuseActive(inert, asked)
  const domain = asked.domain.toLowerCase()
  if (!isDomainName(domain)) throw refuse("'domain' must be a domain name such as login.example.com, without a port.")
  return {
    id: newId.customDomain(),
    domain,
    type: asked.type,
    status: 'pending_verification',
    record: `tenantry-domain-verification=${randomText(40)}`,
    tls_policy: 'recommended',
    domain_metadata: asked.domain_metadata ?? {},
    is_default: false,
    created_at: now,
  }
}

/** @throws Problem `invalid_body`, `operation_not_supported` */
export function changed(row: CustomDomainRow, change: UpdateCustomDomain): CustomDomainRow {
  refuseActive(inert, change)
  const metadata = Object.entries({ ...row.domain_metadata, ...change.domain_metadata }).filter(
    (entry): entry is [string, string] => entry[1] !== null,
  )
  if (metadata.length > 10) throw refuse("'domain_metadata' holds at most 10 entries.")
  return { ...row, domain_metadata: Object.fromEntries(metadata) }
}

/** Where the proof is looked for. A name of its own, so that it stands beside whatever the domain publishes already. */
export const verificationName = (domain: string): string => `_tenantry-challenge.${domain}`

export const originOf = (domain: string): string => `https://${domain}`

/** A custom domain as the API shows it. */
export const shown = (row: CustomDomainRow): CustomDomain => ({
  custom_domain_id: row.id,
  domain: row.domain,
  primary: row.is_default,
  is_default: row.is_default,
  status: row.status,
  type: row.type,
  verification: { methods: [{ name: 'txt', record: row.record, domain: verificationName(row.domain) }] },
  tls_policy: row.tls_policy,
  domain_metadata: row.domain_metadata,
})
