import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { refuseActive } from '../inert.ts'
import { type CreateRole, inert } from './schema.ts'
import type { RoleRow } from './store.ts'

export const problems = defineProblems({
  inexistent_role: { status: 404, title: 'The role does not exist.' },
  role_conflict: { status: 409, title: 'A role with this name already exists.' },
})

/** @throws Problem `operation_not_supported` */
export function defined(asked: CreateRole): RoleRow {
  refuseActive(inert, asked)
  return { id: newId.role(), name: asked.name, description: asked.description ?? null }
}
