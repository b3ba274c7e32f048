/**
 * The IAM policies that Lambda authorizers answer with: one action, ARNs with wildcards, Deny over Allow over nothing.
 * What is not understood (`NotAction`, `Condition`, policy variables) voids the whole policy, because a Deny that is
 * skipped is an Allow.
 */
import type { Call } from '../../exchange.ts'
import { MalformedAnswer } from '../../payload/answer.ts'

/** Whether a policy allows a request; its parts are compiled, since a cached one is asked for every route. */
export type Policy = (arn: string) => boolean

/**
 * What a request is called in policies: `arn:aws:execute-api:{region}:{account}:{api}/{stage}/{method}/{path}`, with
 * the path of the request, not of the route.
 */
export function routeArn({ deployment: { api }, request, path }: Call): string {
  // Functions copy this into the policies they answer with, where a star that a client sent would allow everything.
  const literal = path.path.replaceAll('*', '%2A')
  return `arn:aws:execute-api:${api.region}:${api.accountId}:${api.id}/${api.stage.name}/${request.method}${literal}`
}

/** @throws MalformedAnswer */
export function compilePolicy(document: unknown): Policy {
  const { Version: version, Statement: statement } = members(document, 'policyDocument')
  if (version !== '2012-10-17') throw new MalformedAnswer('policyDocument.Version must be "2012-10-17"')
  const statements = (Array.isArray(statement) ? statement : [statement]).map(compileStatement)
  const denies = statements.filter(({ effect }) => effect === 'Deny')
  const allows = statements.filter(({ effect }) => effect === 'Allow')
  return (arn) => {
    const parts = splitArn(arn)
    const applies = ({ matches }: Statement): boolean => matches(parts)
    return !denies.some(applies) && allows.some(applies)
  }
}

interface Statement {
  readonly effect: 'Allow' | 'Deny'
  matches(arn: readonly string[]): boolean
}

const known = new Set(['Sid', 'Effect', 'Action', 'Resource'])
const action = 'execute-api:invoke'

function compileStatement(value: unknown): Statement {
  const statement = members(value, 'a statement')
  const unknown = Object.keys(statement).find((name) => !known.has(name))
  if (unknown !== undefined) throw new MalformedAnswer(`a statement holds "${unknown}", which authorizers cannot use`)
  const { Effect: effect } = statement
  if (effect !== 'Allow' && effect !== 'Deny') throw new MalformedAnswer('Effect must be "Allow" or "Deny"')
  // Names of actions are compared without case (IAM's grammar), those of resources with it.
  const applies = texts(statement.Action, 'Action').some((text) => isLike(text.toLowerCase(), action))
  const resources = texts(statement.Resource, 'Resource').map(compileResource)
  return { effect, matches: (arn) => applies && resources.some((matches) => matches(arn)) }
}

// Part by part: a star in the region must not swallow colons of a path, which the client chooses.
function compileResource(text: string): (arn: readonly string[]) => boolean {
  if (text.includes('${')) throw new MalformedAnswer(`Resource "${text}" holds a policy variable`)
  const patterns = splitArn(text)
  const last = patterns.length - 1
  return (arn) =>
    patterns.every((pattern, i) => isLike(pattern, i === last ? arn.slice(i).join(':') : arn[i]!)) && arn.length > last
}

const arnParts = 6

/** At the first five colons; the rest may hold more. */
function splitArn(arn: string): readonly string[] {
  const parts = arn.split(':')
  return parts.length <= arnParts ? parts : [...parts.slice(0, arnParts - 1), parts.slice(arnParts - 1).join(':')]
}

/** `*` stands for any characters, `?` for one. Without backtracking beyond the last star: no pattern is slow. */
function isLike(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let resume = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      resume = t
    } else if (pattern[p] === '?' || (p < pattern.length && pattern[p] === text[t])) {
      p++
      t++
    } else if (star === -1) return false
    else {
      p = star + 1
      t = ++resume
    }
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** @throws MalformedAnswer for anything but an object */
export function members(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new MalformedAnswer(`${name} must be an object`)
}

function texts(value: unknown, name: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.length > 0 && list.every((item) => typeof item === 'string' && item !== '')) return list as string[]
  throw new MalformedAnswer(`${name} must be a text or a list of texts`)
}
