/**
 * The scopes of the Management API, by Auth0's names. A route that asks for a scope missing here does not start, and the
 * system API of every environment lists exactly these.
 */
const VERBS: Record<string, string> = {
  actions: 'create read update delete',
  client_grants: 'create read update delete',
  client_keys: 'read update',
  clients: 'create read update delete',
  connections: 'create read update delete',
  organization_client_grants: 'create read delete',
  organization_connections: 'create read update delete',
  organization_invitations: 'create read delete',
  organization_member_roles: 'create read delete',
  organization_members: 'create read delete',
  organizations: 'create read update delete',
  organizations_summary: 'read',
  resource_servers: 'create read update delete',
  role_members: 'create read delete',
  roles: 'create read update delete',
  tenant_settings: 'read update',
  users: 'create read update delete',
  users_app_metadata: 'create read update delete',
}

export const managementScopes: readonly string[] = Object.entries(VERBS).flatMap(([subject, verbs]) =>
  verbs.split(' ').map((verb) => `${verb}:${subject}`),
)
