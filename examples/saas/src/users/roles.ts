/** The roles that Stockroom sells, and the only ones it gives: what else the issuer knows is none of a tenant's. */
import type { SaasIdentity } from '@tenantry/tenancy'
import type { ManagementClient } from 'auth0'
import { Refusal } from '../refusal.ts'

/** What each role may do; the issuer is set up with the same. */
export const ROLES = {
  admin: [
    'read:item',
    'create:item',
    'delete:item',
    'read:member',
    'manage:member',
    'read:tenant',
    'update:tenant',
    'export:tenant',
    'delete:tenant',
  ],
  member: ['read:item'],
} as const satisfies Record<string, readonly string[]>

export type RoleName = keyof typeof ROLES
export const ROLE_NAMES = Object.keys(ROLES) as RoleName[]

/**
 * Nobody gives what they do not have, so that whoever may manage members cannot rise by it.
 * @throws Refusal 403 `role_above_own`
 */
export function requireCeiling(identity: SaasIdentity, roles: readonly RoleName[]): void {
  const above = roles.find((role) => ROLES[role].some((permission) => !identity.permissions.has(permission)))
  if (above) throw new Refusal(403, 'role_above_own', `The role ${above} may do more than you may yourself.`)
}

/** The issuer's ids of the product's roles. */
export interface RoleIds {
  idOf(role: RoleName): Promise<string>
  /** Roles that are not the product's are left out. */
  namesOf(ids: readonly (string | undefined)[]): Promise<RoleName[]>
}

/** @param named ids, or names that are looked up once */
export function createRoleIds(management: ManagementClient, named: Record<RoleName, string>): RoleIds {
  const known = new Map<RoleName, string>()
  const idOf = async (role: RoleName): Promise<string> => {
    const id = known.get(role) ?? (await findRole(management, named[role]))
    known.set(role, id)
    return id
  }
  return {
    idOf,
    async namesOf(ids) {
      const pairs = await Promise.all(ROLE_NAMES.map(async (role) => ({ role, id: await idOf(role) })))
      return pairs.filter(({ id }) => ids.includes(id)).map(({ role }) => role)
    },
  }
}

async function findRole(management: ManagementClient, role: string): Promise<string> {
  if (role.startsWith('rol_')) return role
  for await (const candidate of await management.roles.list({ name_filter: role })) {
    if (candidate.name === role && candidate.id) return candidate.id
  }
  throw new Error(`The issuer has no role “${role}”. Create it, or name another in Stockroom’s roles.`)
}
