import { limits } from '../../api.ts'
import { parseRouteKey } from '../../routing/route-key.ts'
import type { Editing } from '../editing.ts'
import { said } from '../operation.ts'
import * as parts from '../parts-store.ts'
import { badRequest, conflict, notFound, notImplemented } from '../problems.ts'
import type { RouteMembers } from './schema.ts'

const foreign = [
  'modelSelectionExpression',
  'requestModels',
  'requestParameters',
  'routeResponseSelectionExpression',
] as const

/** @throws Problem BadRequestException, ConflictException, NotFoundException, NotImplementedException */
export async function routeRow(
  body: RouteMembers,
  edit: Editing,
  before: parts.StoredRoute | undefined,
): Promise<parts.Columns<'routes'>> {
  const strange = foreign.find((member) => body[member] !== undefined)
  if (strange !== undefined) throw badRequest(`${strange} is not supported for HTTP APIs`)
  if (body.apiKeyRequired === true) throw badRequest('apiKeyRequired is not supported for HTTP APIs')
  const key = body.routeKey ?? before!.route_key
  await checkKey(key, edit, before)
  const integrationId = body.target === undefined ? (before?.integration_id ?? null) : await targetOf(body.target, edit)
  const type = body.authorizationType ?? before?.settings.authorizationType ?? 'NONE'
  const authorizerId = type === 'NONE' ? null : (body.authorizerId ?? before?.authorizer_id ?? null)
  await checkAuthorizer(type, authorizerId, edit)
  const scopes = body.authorizationScopes ?? (type === 'JWT' ? before?.settings.authorizationScopes : undefined) ?? []
  checkScopes(scopes, type)
  const operationName = (body.operationName ?? before?.settings.operationName) || undefined
  return {
    route_key: key,
    integration_id: integrationId,
    authorizer_id: authorizerId,
    is_managed: before?.is_managed ?? false,
    settings: said({
      authorizationType: type,
      authorizationScopes: scopes.length === 0 ? undefined : scopes,
      operationName,
    }),
  }
}

async function checkKey(key: string, { tx, apiId }: Editing, before: parts.StoredRoute | undefined): Promise<void> {
  if (key === before?.route_key) return
  if (before?.is_managed === true) throw badRequest('The key of a route made by quick create cannot be changed')
  const parsed = parseRouteKey(key)
  if (typeof parsed === 'string') {
    throw badRequest(`The provided route key is not formatted properly for HTTP protocol: ${parsed}`)
  }
  if (await parts.routeKeyIsTaken(tx, apiId, key)) throw conflict(`Route with key ${key} already exists for this API`)
}

async function targetOf(target: string, { tx, apiId }: Editing): Promise<string | null> {
  if (target === '') return null
  const id = /^integrations\/([a-z0-9]+)$/.exec(target)?.[1]
  if (id === undefined) throw badRequest('The target of a route has the form integrations/{integrationId}')
  if ((await parts.find(tx, 'integrations', apiId, id)) === undefined) throw notFound('Integration')
  return id
}

async function checkAuthorizer(type: string, id: string | null, { tx, apiId }: Editing): Promise<void> {
  if (type === 'AWS_IAM') throw notImplemented('IAM authorization of routes is not offered here')
  if (type === 'NONE') return
  const wanted = type === 'JWT' ? 'JWT' : 'REQUEST'
  const authorizer = id === null ? undefined : await parts.find(tx, 'authorizers', apiId, id)
  if (authorizer?.settings.authorizerType === wanted) return
  const what = type === 'JWT' ? 'JWT authorizer' : 'Lambda authorizer'
  throw badRequest(
    `Invalid authorizer ID specified. Setting the authorization type to ${type} requires a valid ${what}.`,
  )
}

function checkScopes(scopes: readonly string[], type: string): void {
  if (scopes.length > 0 && type !== 'JWT') {
    throw badRequest('Authorization Scopes are only valid for COGNITO_USER_POOLS and JWT authorization types')
  }
  if (scopes.length > limits.scopes) throw badRequest(`A route has at most ${limits.scopes} authorization scopes`)
  // Scopes of a token are separated by white space, so such a one could never match.
  if (scopes.some((scope) => /\s/.test(scope))) throw badRequest('An authorization scope holds no white space')
}
