/**
 * The kit's port to the issuer: what the sagas of a tenant's life do there, each through the service that knows how. Every call may
 * be repeated, so a step that failed in between begins again and finds what is there.
 */
import type { IdentityPlane } from '@tenantry/tenancy'
import type { InternalCall } from '../http.ts'

export const identityPlane = ({ tenants, users }: { tenants: InternalCall; users: InternalCall }): IdentityPlane => ({
  async createOrganization({ tenantId, tier, facts }) {
    const { companyName, email } = facts as { companyName: string; email: string }
    await users('POST', '/eligibility', { email, tenantId })
    const made = await tenants('PUT', `/tenants/${tenantId}`, { name: companyName, plan: tier })
    const organizationId = String(made.organizationId)
    await users('PUT', `/organizations/${encodeURIComponent(organizationId)}/administrator`, { email })
    await tenants('PUT', `/tenants/${tenantId}/opening`)
    return { organizationId }
  },
  activateOrganization: async ({ tenantId }) => void (await tenants('PUT', `/tenants/${tenantId}/opening`)),
  suspendOrganization: async ({ tenantId }) => void (await tenants('PUT', `/tenants/${tenantId}/suspension`)),
  deleteOrganization: async ({ tenantId }) => void (await tenants('DELETE', `/tenants/${tenantId}`)),
})
