import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { present } from '../wire.ts'
import type { CreateOrganization } from './schema.ts'
import type { OrganizationRow } from './store.ts'

export const problems = defineProblems({
  inexistent_organization: { status: 404, title: 'No organization found by that id or name' },
  organization_suspended: { status: 409, title: 'The organization is suspended: nobody can be invited into it now.' },
  organization_conflict: { status: 409, title: 'An organization with this name already exists.' },
})

/** A new organization. Its id is opaque and of fixed length; nothing but the database decides whether the name is free. */
export const found = (asked: CreateOrganization, now: Date): OrganizationRow & { created_at: Date } => ({
  id: newId.organization(),
  name: asked.name,
  display_name: asked.display_name ?? asked.name,
  branding: asked.branding ?? null,
  metadata: asked.metadata ?? {},
  is_app_entitlement_active: asked.is_app_entitlement_active ?? false,
  is_suspended: false,
  created_at: now,
})

/** An organization as the API shows it. */
export function shown<Row extends OrganizationRow>({ is_app_entitlement_active, is_suspended, ...row }: Row) {
  return {
    ...present(row),
    ...(is_app_entitlement_active ? { is_app_entitlement_active } : {}),
    ...(is_suspended ? { is_suspended } : {}),
  }
}
