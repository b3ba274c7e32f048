import { accessLogFault } from '../../access-log/format.ts'
import { logGroupFile } from '../../access-log/log-groups.ts'
import { limits } from '../../api.ts'
import { said } from '../operation.ts'
import type { Settings } from '../parts-store.ts'
import { badRequest } from '../problems.ts'
import type { RouteSettings, StageMembers } from './schema.ts'

/** @throws Problem BadRequestException */
export function checkStageName(name: string): void {
  if (name === '$default' || /^[A-Za-z0-9_-]{1,128}$/.test(name)) return
  throw badRequest('Stage name only allows a-zA-Z0-9-_ or the string $default')
}

export interface StageSurroundings {
  readonly accountId: string
  /** Whether entries of access logs that name a log group are kept apart here. */
  readonly hasLogGroups: boolean
}

/**
 * A stage's settings after a change to those it had.
 *
 * @throws Problem BadRequestException
 */
export function stageSettings(
  before: Settings,
  { autoDeploy: _, deploymentId: __, clientCertificateId, ...change }: StageMembers,
  surroundings: StageSurroundings,
): Settings {
  if (clientCertificateId) throw badRequest('clientCertificateId is not supported for HTTP APIs')
  const settings: Settings = said({
    ...before,
    ...change,
    defaultRouteSettings: { ...before.defaultRouteSettings, ...change.defaultRouteSettings },
    routeSettings: routesAfter(before.routeSettings, change.routeSettings),
    stageVariables: variablesAfter(before.stageVariables, change.stageVariables),
  })
  for (const each of [settings.defaultRouteSettings, ...Object.values(settings.routeSettings)]) checkRoute(each)
  checkVariables(settings.stageVariables)
  if (settings.accessLogSettings !== undefined) checkLog(settings.accessLogSettings, surroundings)
  if (settings.description === '') delete settings.description
  return settings
}

const routesAfter = (before: Settings = {}, change: Settings = {}): Settings => ({
  ...before,
  ...Object.fromEntries(Object.entries(change).map(([key, settings]) => [key, { ...before[key], ...settings }])),
})

/** An empty value removes a variable. */
const variablesAfter = (before: Settings = {}, change: Settings = {}): Settings =>
  Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== ''))

function checkRoute({ dataTraceEnabled, loggingLevel }: RouteSettings): void {
  if (dataTraceEnabled === true || (loggingLevel !== undefined && loggingLevel !== 'OFF')) {
    throw badRequest('Execution logs are not supported on protocol type HTTP')
  }
}

function checkVariables(variables: Settings): void {
  const entries: [string, string][] = Object.entries(variables)
  if (entries.length > limits.stageVariables) {
    throw badRequest(`A stage has at most ${limits.stageVariables} stage variables`)
  }
  const odd = entries.find(
    ([name, value]) => !/^\w{1,64}$/.test(name) || !/^[A-Za-z0-9\-._~:/?#&=,]{1,512}$/.test(value),
  )
  if (odd !== undefined) {
    throw badRequest(
      `Stage variable ${odd[0].slice(0, 64)}: a name has letters, digits and _ (at most 64), a value has letters, digits and -._~:/?#&=, (at most 512)`,
    )
  }
}

function checkLog(
  { destinationArn, format }: { destinationArn?: string; format?: string },
  { accountId, hasLogGroups }: StageSurroundings,
): void {
  if (!format) throw badRequest('accessLogSettings needs a format')
  const fault = accessLogFault(format)
  if (fault !== null) throw badRequest(`Invalid access log format: ${fault}`)
  if (destinationArn === undefined) return
  const target = logGroupFile(destinationArn, accountId)
  if (typeof target === 'string') throw badRequest(`destinationArn: ${target}`)
  if (!hasLogGroups) {
    throw badRequest(
      'destinationArn: this gateway was given no directory for log groups. Leave it out, and entries go to the ' +
        'gateway’s own log, or have its operator set TENANTRY_GATEWAY_LOG_GROUPS',
    )
  }
}
