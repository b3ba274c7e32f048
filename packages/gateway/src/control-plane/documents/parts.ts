import type { Authorizer, Definition, Integration } from '../../api.ts'
import { type Editing, shortId } from '../editing.ts'
import { said } from '../operation.ts'
import * as parts from '../parts-store.ts'

/** What an API itself keeps of a definition. */
export const settingsOf = ({
  name,
  description,
  version,
  cors,
  disableExecuteApiEndpoint,
  tenantLimits,
}: Definition): parts.Settings =>
  said({
    name,
    description: description ?? undefined,
    version: version ?? undefined,
    disableExecuteApiEndpoint,
    // Amazon's shape has no place for it: it is kept and not shown.
    tenantLimits,
    corsConfiguration: cors === null ? undefined : said({ ...cors, maxAge: cors.maxAge ?? undefined }),
  })

/** Routes, integrations and authorizers as a definition says, in place of those there are. */
export async function replaceParts(edit: Editing, definition: Definition): Promise<void> {
  const { tx, apiId } = edit
  for (const table of ['routes', 'integrations', 'authorizers'] as const) await parts.removeAll(tx, table, apiId)
  const ids = new Map<string, string>()
  for (const [name, integration] of Object.entries(definition.integrations)) {
    const id = shortId(7)
    ids.set(`integration ${name}`, id)
    await parts.insert(tx, 'integrations', edit, { id, settings: integrationWire(integration), is_managed: false })
  }
  for (const [name, authorizer] of Object.entries(definition.authorizers)) {
    const id = shortId(6)
    ids.set(`authorizer ${name}`, id)
    await parts.insert(tx, 'authorizers', edit, { id, name, settings: authorizerWire(authorizer) })
  }
  for (const { key, integration, authorization, operationName } of definition.routes) {
    const scopes = authorization.type === 'JWT' && authorization.scopes.length > 0 ? authorization.scopes : undefined
    await parts.insert(tx, 'routes', edit, {
      id: shortId(7),
      route_key: key,
      integration_id: ids.get(`integration ${integration}`)!,
      authorizer_id: authorization.type === 'NONE' ? null : ids.get(`authorizer ${authorization.authorizer}`)!,
      is_managed: false,
      settings: said({ authorizationType: authorization.type, authorizationScopes: scopes, operationName }),
    })
  }
}

function integrationWire(integration: Integration): parts.Settings {
  const { requestParameters, responseParameters, timeoutMs: timeoutInMillis } = integration
  const some = (record: object) => (Object.keys(record).length === 0 ? undefined : record)
  const both = {
    connectionType: 'INTERNET',
    timeoutInMillis,
    requestParameters: some(requestParameters),
    responseParameters: some(responseParameters),
  }
  if (integration.type === 'HTTP_PROXY') {
    const { method: integrationMethod, uri: integrationUri } = integration
    return said({
      integrationType: 'HTTP_PROXY',
      integrationMethod,
      integrationUri,
      payloadFormatVersion: '1.0',
      ...both,
    })
  }
  const { functionArn: integrationUri, payloadFormatVersion, credentialsArn } = integration
  return said({
    ...{ integrationType: 'AWS_PROXY', integrationMethod: 'POST', integrationUri, payloadFormatVersion },
    credentialsArn: credentialsArn ?? undefined,
    ...both,
  })
}

function authorizerWire(authorizer: Authorizer): parts.Settings {
  if (authorizer.type === 'JWT') {
    const { issuer, audience, identitySource, extensions } = authorizer
    return said({
      authorizerType: 'JWT',
      identitySource: [`$request.${identitySource.from}.${identitySource.name}`],
      jwtConfiguration: { issuer, audience },
      extensions,
    })
  }
  return said({
    authorizerType: 'REQUEST',
    authorizerUri: authorizer.functionArn,
    authorizerPayloadFormatVersion: authorizer.payloadFormatVersion,
    enableSimpleResponses: authorizer.enableSimpleResponses,
    identitySource: authorizer.identitySource,
    authorizerResultTtlInSeconds: authorizer.resultTtlSeconds,
    authorizerCredentialsArn: authorizer.credentialsArn ?? undefined,
  })
}
