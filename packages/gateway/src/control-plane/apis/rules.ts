import { said } from '../operation.ts'
import type { Settings } from '../parts-store.ts'
import { badRequest, notImplemented } from '../problems.ts'
import { corsOf } from '../wire.ts'
import type { ApiMembers } from './schema.ts'

/** What these say on every HTTP API; other values belong to WebSocket APIs. */
export const selection = {
  apiKeySelectionExpression: '$request.header.x-api-key',
  routeSelectionExpression: '$request.method $request.path',
} as const

/**
 * An API's settings after a change to those it had.
 *
 * @throws Problem BadRequestException, NotImplementedException
 */
export function apiSettings(
  before: Settings,
  {
    apiKeySelectionExpression,
    routeSelectionExpression,
    disableSchemaValidation,
    ipAddressType,
    credentialsArn: _,
    routeKey: __,
    target: ___,
    ...change
  }: ApiMembers,
): Settings {
  if (![undefined, '', selection.apiKeySelectionExpression].includes(apiKeySelectionExpression)) {
    throw badRequest('apiKeySelectionExpression is not supported for HTTP APIs')
  }
  const spaceless = (text: string) => text.replaceAll(/[{}]/g, '')
  if (routeSelectionExpression && spaceless(routeSelectionExpression) !== selection.routeSelectionExpression) {
    throw badRequest(`routeSelectionExpression must be ${selection.routeSelectionExpression} for HTTP APIs`)
  }
  if (disableSchemaValidation === true) throw badRequest('disableSchemaValidation is not supported for HTTP APIs')
  if (ipAddressType === 'dualstack') {
    throw notImplemented(
      'ipAddressType dualstack is not offered: the address that the gateway listens on is its setting',
    )
  }
  const settings: Settings = said({ ...before, ...change })
  for (const name of ['description', 'version']) if (settings[name] === '') delete settings[name]
  if (settings.corsConfiguration !== undefined) corsOf(settings.corsConfiguration)
  return settings
}
