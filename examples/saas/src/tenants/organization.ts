/** The organization that stands for a tenant at the issuer. Each function may be called again after a crash. */
import type { ManagementClient } from 'auth0'
import { answered, unlessMissing } from '../management.ts'
import type { Tenant } from './store.ts'

/**
 * Creates the organization, or adopts the one that a first try made before it could say so: `metadata.tenantId` tells
 * ours from somebody else's of the same name.
 *
 * @returns its id, or undefined when the name belongs to somebody else.
 */
export async function ensureOrganization(management: ManagementClient, tenant: Tenant): Promise<string | undefined> {
  try {
    const created = await management.organizations.create({
      name: tenant.slug,
      display_name: tenant.name,
      // Both travel in tokens; the tier only for display, the directory decides.
      metadata: { tenantId: tenant.id, tier: tenant.plan },
    })
    return requireId(created.id)
  } catch (error) {
    if (!answered(error, 409)) throw error
  }
  return findOwn(management, tenant)
}

/** Nobody becomes a member by merely signing in: membership comes from an invitation or an administrator. */
export async function ensureConnection(
  management: ManagementClient,
  organizationId: string,
  connectionId: string,
): Promise<void> {
  try {
    await management.organizations.enabledConnections.add(organizationId, {
      connection_id: connectionId,
      assign_membership_on_login: false,
    })
  } catch (error) {
    // Already enabled: a first try got this far.
    if (!answered(error, 409)) throw error
  }
}

/** From where the tier gets into tokens that are made from now on. */
export async function setTierOfTokens(management: ManagementClient, tenant: Tenant): Promise<void> {
  if (!tenant.organizationId) throw new Error(`The tenant ${tenant.id} has no organization.`)
  await management.organizations.update(tenant.organizationId, {
    metadata: { tenantId: tenant.id, tier: tenant.plan },
  })
}

/** Removes the organization if it is the tenant's; somebody else's of the same name stays. */
export async function removeOrganization(management: ManagementClient, tenant: Tenant): Promise<void> {
  const id = tenant.organizationId ?? (await findOwn(management, tenant))
  if (id) await unlessMissing(management.organizations.delete(id))
}

async function findOwn(management: ManagementClient, tenant: Tenant): Promise<string | undefined> {
  const existing = await unlessMissing(management.organizations.getByName(tenant.slug))
  return existing?.metadata?.tenantId === tenant.id ? requireId(existing.id) : undefined
}

function requireId(id: string | undefined): string {
  if (!id) throw new Error('The Management API returned an organization without an id.')
  return id
}
