import type { Api, RequestAuthorizer, Route } from '../../api.ts'

/**
 * Where a function's remembered answer decides for more than the request it was asked for. AWS behaves like this and
 * says it in a note; here it is said of the routes it concerns, when the API is compiled.
 *
 * @returns one sentence per authorizer and trap
 */
export function cachedAnswerLeaks(api: Api): readonly string[] {
  return Object.entries(api.authorizers).flatMap(([name, authorizer]) => {
    if (authorizer.type !== 'REQUEST' || !isShared(authorizer)) return []
    const routes = api.routes.filter(
      ({ authorization }) => authorization.type === 'CUSTOM' && authorization.authorizer === name,
    )
    const { identitySource, resultTtlSeconds: seconds } = authorizer
    const tellsRoute = identitySource.includes('$context.routeKey') || tellsPath(authorizer)
    const open = routes.filter(({ key }) => isOpenEnded(key))
    const [first, second] = routes
    return [
      ...(!tellsRoute && first !== undefined && second !== undefined
        ? [
            `the authorizer "${name}" keeps a simple answer for ${seconds} s, and it then decides for all its ` +
              `routes alike (${keys(routes)}): add $context.routeKey to its identity sources, or answer with a policy`,
          ]
        : []),
      ...(!tellsPath(authorizer) && open.length > 0
        ? [
            `the authorizer "${name}" keeps a simple answer for ${seconds} s, and it then decides for every path of ` +
              `${keys(open)}: if the function looks at the path, add $context.path and $context.httpMethod to its ` +
              'identity sources, or answer with a policy',
          ]
        : []),
    ]
  })
}

// A policy is asked for each request, so only simple answers are shared.
const isShared = ({ enableSimpleResponses, payloadFormatVersion, resultTtlSeconds }: RequestAuthorizer): boolean =>
  resultTtlSeconds > 0 && enableSimpleResponses && payloadFormatVersion === '2.0'

const tellsPath = ({ identitySource }: RequestAuthorizer): boolean =>
  identitySource.includes('$context.path') && identitySource.includes('$context.httpMethod')

const isOpenEnded = (key: string): boolean => key === '$default' || key.includes('{')

const keys = (routes: readonly Route[]): string => routes.map(({ key }) => `"${key}"`).join(', ')
