import { compileContext } from '../../context.ts'
import type { Call } from '../../exchange.ts'

/** The value of one identity source; `undefined` or empty: the request does not have it. */
export type ReadSource = (call: Call) => string | undefined

const expression = /^\$(request\.header|request\.querystring|context|stageVariables)\.(.+)$/
const parameterName = /^[A-Za-z0-9!#$%&'*+\-.^_`|~[\]]+$/

/**
 * @param source such as `$request.header.authorization`, `$request.querystring.key`, `$context.routeKey`,
 *   `$stageVariables.name`
 * @throws Error saying what is wrong with it
 */
export function compileIdentitySource(source: string, stageVariables: Readonly<Record<string, string>>): ReadSource {
  const [, from, name] = expression.exec(source) ?? []
  if (from === undefined || name === undefined) {
    throw new Error(
      `"${source}" is no identity source: use $request.header.x, $request.querystring.x, $context.x or $stageVariables.x`,
    )
  }
  if (from === 'stageVariables') {
    const value = Object.hasOwn(stageVariables, name) ? stageVariables[name] : undefined
    return () => value
  }
  if (from === 'context') {
    // What an authorizer finds out cannot be what it is asked by.
    const read = name.startsWith('authorizer.') ? null : compileContext(name)
    if (read === null) throw new Error(`"${source}" names a variable that authorizers are not given`)
    return read
  }
  if (!parameterName.test(name)) throw new Error(`"${source}" names no header or parameter`)
  return from === 'request.header' ? headerReader(name.toLowerCase()) : (call) => joined(queryValues(call, name))
}

function headerReader(name: string): ReadSource {
  if (name === 'host') return ({ head }) => head.host
  return ({ head: { fields } }) => joined(fields.filter((_, i) => i % 2 === 1 && fields[i - 1] === name))
}

const queryValues = ({ path }: Call, name: string): readonly string[] =>
  path.query === '' ? [] : new URLSearchParams(path.query).getAll(name)

// As in the event: a function that reads one of two values and an upstream that reads the other would disagree.
const joined = (values: readonly string[]): string | undefined => (values.length === 0 ? undefined : values.join(','))
