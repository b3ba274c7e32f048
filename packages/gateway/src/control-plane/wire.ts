/**
 * Integrations and authorizers as the control plane's clients write them. They are read by what reads every other
 * definition format, so each rule about them stands in one place.
 */
import type { Authorizer, Integration } from '../api.ts'
import type { Discover } from '../authorizers/discovery.ts'
import { type AuthorizerNames, readAuthorizer } from '../definition/authorizers.ts'
import { readCors } from '../definition/cors.ts'
import { type IntegrationNames, readIntegration } from '../definition/integrations.ts'
import { createReport, type Place, placeIn, pointerSteps } from '../definition/report.ts'
import type { Settings } from './parts-store.ts'
import { badRequest } from './problems.ts'

const integrationNames: IntegrationNames = {
  type: 'integrationType',
  method: 'integrationMethod',
  uri: 'integrationUri',
  payloadFormatVersion: 'payloadFormatVersion',
  connectionType: 'connectionType',
  connectionId: 'connectionId',
  credentials: 'credentialsArn',
  subtype: 'integrationSubtype',
  requestParameters: 'requestParameters',
  responseParameters: 'responseParameters',
  timeout: 'timeoutInMillis',
  tls: 'tlsConfig',
  ignored: ['description'],
}

const authorizerNames: AuthorizerNames = {
  type: 'authorizerType',
  identitySource: 'identitySource',
  jwt: 'jwtConfiguration',
  issuer: 'issuer',
  audience: 'audience',
  uri: 'authorizerUri',
  credentials: 'authorizerCredentialsArn',
  payloadFormatVersion: 'authorizerPayloadFormatVersion',
  simpleResponses: 'enableSimpleResponses',
  ttl: 'authorizerResultTtlInSeconds',
  ignored: [],
}

/** @throws Problem BadRequestException that names each member */
export const integrationOf = (settings: Settings): Integration =>
  reading((place) => readIntegration(settings, integrationNames, place))

/** @throws Problem BadRequestException that names each member */
export async function authorizerOf({ extensions, ...settings }: Settings): Promise<Authorizer> {
  // Its issuer was asked before it was stored; what is stored is not doubted again.
  const discover: Discover = async () => ({ issuer: settings.jwtConfiguration?.issuer, jwksUri: '' })
  const { root, settle } = complaints()
  const authorizer = settle(await readAuthorizer(settings, authorizerNames, root, { discover, stageVariables: null }))
  // Amazon's shape has no place for them; they come from a document, and only another one takes them away.
  return authorizer.type === 'JWT' && extensions !== undefined ? { ...authorizer, extensions } : authorizer
}

/** @throws Problem BadRequestException that names each member */
export const corsOf = (settings: Settings) =>
  reading((place) => readCors(settings, null, place.in('corsConfiguration')))

function reading<T>(read: (place: Place) => T | null): T {
  const { root, settle } = complaints()
  return settle(read(root))
}

function complaints(): { root: Place; settle: <T>(value: T | null) => T } {
  const report = createReport()
  return {
    root: placeIn(report, { file: '', locate: (at) => ({ file: '', at, line: 0 }) }),
    settle: (value) => {
      const texts = report.errors.map(({ at, message }) => `${pointerSteps(at).join('.')}: ${message}`)
      if (value === null || texts.length > 0) throw badRequest(texts.join('; '))
      return value
    },
  }
}
