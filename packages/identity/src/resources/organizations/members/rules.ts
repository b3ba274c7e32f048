import { defineProblems } from '@tenantry/kernel/problem.ts'

export const problems = defineProblems({
  inexistent_user: { status: 404, title: 'The user does not exist: {user_id}' },
  inexistent_member: { status: 404, title: 'The user is not a member of this organization.' },
  inexistent_role: { status: 404, title: 'The role does not exist: {role_id}' },
  too_many_member_roles: { status: 400, title: 'A member can have at most {limit} roles in an organization.' },
})

export const ROLES_PER_MEMBER = 50

/** Roles are shown only to those who ask by name: they need a scope of their own. */
export const asksForRoles = (query: { fields?: string; include_fields?: boolean }): boolean =>
  query.include_fields !== false &&
  (query.fields ?? '')
    .split(',')
    .map((name) => name.trim())
    .includes('roles')
