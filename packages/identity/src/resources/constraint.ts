import type { Problem } from '@tenantry/kernel/problem.ts'
import { postgres } from '@tenantry/tenancy/driver'

/**
 * Turns the violation of one named constraint into a Problem, in the store, where the constraint's name is known.
 *
 * @example
 * await tx`insert into roles …`.catch(violates('role_name', problems.role_conflict))
 */
export const violates =
  (constraint: string, problem: (raise: { cause: unknown }) => Problem) =>
  (error: unknown): never => {
    if (error instanceof postgres.PostgresError && error.constraint_name === constraint) throw problem({ cause: error })
    throw error
  }
