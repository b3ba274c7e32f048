import type { RequiredClaim } from '../api.ts'

/** Whether a verified token has what the authorizer asks beyond AWS's claims. */
export const hasRequiredClaims = (
  claims: Readonly<Record<string, unknown>>,
  required: readonly RequiredClaim[],
): boolean => required.every((claim) => isMet(Object.hasOwn(claims, claim.name) ? claims[claim.name] : null, claim))

function isMet(value: unknown, { expectedValues, isRequired }: RequiredClaim): boolean {
  if (value === null || value === undefined) return !isRequired
  if (expectedValues.length === 0) return true
  return valuesOf(value).some((text) => expectedValues.includes(text))
}

/**
 * The texts a claim stands for: itself, or each member of a list. An object stands for none, and nothing is joined or
 * split on the way: two values that look alike in a log must not be taken for one another.
 */
export function valuesOf(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.flatMap((item) =>
    typeof item === 'string' ? [item] : typeof item === 'number' || typeof item === 'boolean' ? [String(item)] : [],
  )
}
