import { limits } from '../../api.ts'
import { functionArnOf } from '../../definition/function-arn.ts'
import { said } from '../operation.ts'
import type { Settings } from '../parts-store.ts'
import { badRequest, notImplemented } from '../problems.ts'
import { integrationOf } from '../wire.ts'
import type { IntegrationMembers } from './schema.ts'

/** Members that belong to WebSocket and REST APIs. */
const foreign = [
  'contentHandlingStrategy',
  'passthroughBehavior',
  'requestTemplates',
  'templateSelectionExpression',
] as const

/**
 * An integration's settings after a change to those it had.
 *
 * @throws Problem BadRequestException, NotImplementedException
 */
export function integrationSettings(before: Settings, change: IntegrationMembers): Settings {
  const strange = foreign.find((member) => change[member] !== undefined)
  if (strange !== undefined) throw badRequest(`${strange} is not supported for HTTP APIs`)
  if (change.integrationSubtype) {
    throw notImplemented('Integrations with AWS services (integrationSubtype) are not offered here')
  }
  if (change.connectionType === 'VPC_LINK' || change.connectionId || change.tlsConfig) {
    throw notImplemented('Private integrations through VPC links are not offered here')
  }
  const type = change.integrationType ?? before.integrationType
  const settings: Settings = said({
    connectionType: 'INTERNET',
    timeoutInMillis: limits.timeoutMs.max,
    ...(type === 'AWS_PROXY' ? { integrationMethod: 'POST' } : { payloadFormatVersion: '1.0' }),
    ...before,
    ...change,
    requestParameters: mappingAfter(before.requestParameters, change.requestParameters),
    responseParameters: responsesAfter(before.responseParameters, change.responseParameters),
  })
  for (const name of ['description', 'credentialsArn', 'connectionId', 'integrationSubtype']) {
    if (settings[name] === '') delete settings[name]
  }
  const integration = integrationOf(settings)
  // Whether its variables have values is for each stage to say; that it leads anywhere at all is not.
  if (integration.type === 'HTTP_PROXY' && !/^(https?:\/\/|\$\{stageVariables\.)./.test(integration.uri)) {
    throw badRequest('Invalid HTTP endpoint specified for URI')
  }
  return settings
}

/** An empty text removes a mapping. */
function mappingAfter(before: Settings | undefined, change: Settings | undefined): Settings | undefined {
  const kept = Object.entries({ ...before, ...change }).filter(([, value]) => value !== '')
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

/** An empty object removes all mappings of a status. */
function responsesAfter(before: Settings | undefined, change: Settings | undefined): Settings | undefined {
  const all = Object.entries({ ...before, ...change }).map(([status, mapping]) => {
    const given = change?.[status]
    const isRemoved = given !== undefined && Object.keys(given).length === 0
    return [status, isRemoved ? undefined : given === undefined ? mapping : mappingAfter(before?.[status], given)]
  })
  const kept = all.filter(([, mapping]) => mapping !== undefined)
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

/** What quick create makes of its target: a function's ARN or a URL. */
export const targetSettings = (target: string, credentialsArn: string | undefined): IntegrationMembers => ({
  ...(functionArnOf(target) === null
    ? { integrationType: 'HTTP_PROXY', integrationMethod: 'ANY' }
    : { integrationType: 'AWS_PROXY', payloadFormatVersion: '2.0' }),
  integrationUri: target,
  ...(credentialsArn === undefined ? {} : { credentialsArn }),
})
