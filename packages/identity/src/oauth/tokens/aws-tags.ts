/**
 * The claim from which AWS takes a session's tags when a role is assumed with one of our tokens
 * (AssumeRoleWithWebIdentity): it decides which tenant's data the credentials open. Only minting sets it, from the token's
 * own organization, and only in tokens for AWS: their API has the identifier `sts.amazonaws.com`. The name is reserved, so
 * neither Actions nor profiles nor clients can (actions/claims.ts).
 */
export const AWS_AUDIENCE = 'sts.amazonaws.com'
const CLAIM = 'https://aws.amazon.com/tags'

/** The same shape as in the kit: what means something in policies (`*`, `?`, `$`) or keys is never a tenant. */
const TAG_VALUE = /^[A-Za-z0-9_-]{1,256}$/

/** `organization` always, `tenant` where the organization's metadata has a `tenantId` that can stand in a policy. */
export function awsTags(
  audience: string | null,
  organization: { id: string; metadata: Record<string, string> } | null,
): Record<string, unknown> {
  if (audience !== AWS_AUDIENCE || organization === null) return {}
  const { tenantId } = organization.metadata
  const isTag = typeof tenantId === 'string' && TAG_VALUE.test(tenantId)
  const principalTags = { organization: [organization.id], ...(isTag ? { tenant: [tenantId] } : {}) }
  return { [CLAIM]: { principal_tags: principalTags, transitive_tag_keys: Object.keys(principalTags) } }
}
