/**
 * As much of IAM's evaluation as the templates use, by its documented rules: nothing is allowed that no statement allows,
 * all conditions of a statement must hold, and `ForAllValues` holds for a key that is absent.
 */
import type { PolicyDocument } from './policies.ts'

export interface Asked {
  action: string
  resource: string
  context?: Record<string, string | string[]>
  /** Tags of the session that asks. */
  tags?: Record<string, string>
}

export function isAllowed(policy: PolicyDocument, asked: Asked): boolean {
  const context: Record<string, string | string[]> = { ...asked.context }
  for (const [name, value] of Object.entries(asked.tags ?? {})) context[`aws:PrincipalTag/${name}`] = value
  // A variable without a value makes its whole statement fail.
  const filled = (text: string) => {
    const missing = { any: false }
    const result = text.replace(/\$\{([^}]+)\}/g, (_, name: string) => {
      const value = context[name]
      if (typeof value !== 'string') missing.any = true
      return `\u0000${value}\u0000`
    })
    return missing.any ? undefined : result
  }
  return policy.Statement.some(
    ({ Action, Resource, Condition }) =>
      Action.some((pattern) => like(pattern, asked.action)) &&
      Resource.some((pattern) => like(filled(pattern), asked.resource)) &&
      Object.entries(Condition ?? {}).every(([operator, keys]) =>
        Object.entries(keys).every(([key, wanted]) => holds(operator, [wanted].flat().map(filled), context[key])),
      ),
  )
}

function holds(operator: string, wanted: (string | undefined)[], found: string | string[] | undefined): boolean {
  if (operator === 'Null') return wanted[0] === String(found === undefined)
  const [, forAll, kind] = /^(ForAllValues:)?(StringEquals|StringLike)$/.exec(operator) ?? []
  if (!kind) throw new Error(`The operator ${operator} is not known here.`)
  const fits = (value: string) =>
    wanted.some((pattern) =>
      kind === 'StringLike' ? like(pattern, value) : pattern?.replaceAll('\u0000', '') === value,
    )
  if (forAll) return [found ?? []].flat().every(fits)
  return found !== undefined && [found].flat().some(fits)
}

/** `*` and `?` are wildcards where the policy has them, and plain letters where a variable's value has. */
function like(pattern: string | undefined, value: string): boolean {
  if (pattern === undefined) return false
  const parts = pattern.split('\u0000').map((part, at) => {
    const escaped = part.replace(/[.+^$(){}|[\]\\*?]/g, '\\$&')
    return at % 2 === 0 ? escaped.replaceAll('\\*', '[^]*').replaceAll('\\?', '[^]') : escaped
  })
  return new RegExp(`^${parts.join('')}$`).test(value)
}
