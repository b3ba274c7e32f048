import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type AccessLog, logToLines, logToLogger } from '@tenantry/gateway/access-log/access-log.ts'
import { openLogFile } from '@tenantry/gateway/access-log/file.ts'
import { logToGroups } from '@tenantry/gateway/access-log/log-groups.ts'
import { unlimited } from '@tenantry/gateway/api.ts'
import { createDiscover } from '@tenantry/gateway/authorizers/discovery.ts'
import { createFetchJson } from '@tenantry/gateway/authorizers/fetch-json.ts'
import { createRevocations, type RevocationDeps, type Revocations } from '@tenantry/gateway/authorizers/revocation.ts'
import { type AccessKey, ensureAccessKey } from '@tenantry/gateway/control-plane/access-keys/access-keys.ts'
import { createControlPlane } from '@tenantry/gateway/control-plane/control-plane.ts'
import { startPublisher } from '@tenantry/gateway/control-plane/publish.ts'
import { defaultHostSuffix } from '@tenantry/gateway/definition/cloudformation/cloudformation.ts'
import { loadOpenApi } from '@tenantry/gateway/definition/openapi.ts'
import { createGateway, type Gateway } from '@tenantry/gateway/gateway.ts'
import { createSharedBuckets } from '@tenantry/gateway/limits/store.ts'
import { serveMetrics } from '@tenantry/gateway/metrics/server.ts'
import { createPemDirectory, type PemDirectory } from '@tenantry/gateway/tls/directory.ts'
import { type Clock, milliseconds } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { openFunctions } from './functions.ts'
import { explainListenError, listen } from './listen.ts'
import type { Quickstart } from './quickstart.ts'
import { reachOf } from './reach.ts'
import { definitions, type Settings, problems as settingProblems } from './settings.ts'

export const problems = defineProblems({
  definition_unreadable: { status: 500, title: 'The API definition {file} cannot be read: {reason}.' },
})

const definition = fileURLToPath(new URL('../../../examples/saas/api.openapi.yaml', import.meta.url))

interface GatewayQuickstart extends Pick<Quickstart, 'gatewayClient'> {
  issuer: string
  httpIssuer: string
  managementAudience: string
  apiAudience: string
  appUrl: string
  caFile: string
}

/** In ARNs, and what clients of the control plane must name; some of them take no name that Amazon does not have. */
const region = 'us-east-1'

/**
 * The gateway: the sample's API, from its OpenAPI file, for every host that nobody else claims, and the APIs that the
 * control plane keeps.
 */
export async function startGateway(
  settings: Settings,
  deps: {
    quickstart: GatewayQuickstart
    services: Record<string, string>
    database: Database
    clock: Clock
    logger: Logger
  },
): Promise<{ explain: Gateway['explain']; close(): Promise<void> }> {
  const { quickstart, services, database, clock, logger } = deps
  const trustedCa = readFileSync(quickstart.caFile, 'utf8')
  const fetchJson = createFetchJson({ ca: trustedCa })
  const { httpIssuer: issuer, apiAudience: audience, appUrl } = quickstart
  const loaded = await loadOpenApi(readDefinition(), {
    id: 'stockroom',
    variables: { issuer, audience, appUrl },
    stageVariables: services,
    discover: createDiscover(fetchJson),
  })
  for (const warning of loaded.warnings) logger.warn(warning, 'the API definition has a warning')
  const { gatewayAccessLog, gatewayLogGroups, gatewayTls } = settings
  const ownLog = gatewayAccessLog === undefined ? logToLogger(logger) : await openAccessLog(gatewayAccessLog, logger)
  const now = milliseconds(clock)
  const accessLog =
    gatewayLogGroups === undefined
      ? ownLog
      : logToGroups(usableDirectory(gatewayLogGroups, 'gatewayLogGroups'), { others: ownLog, logger, now })
  const { gatewayRate: rate, gatewaySharedLimits } = settings
  const revocations = askForSuspensions(quickstart, { fetchJson, now, logger })
  const { functions, close: closeFunctions } = openFunctions(settings, { clock, logger })
  const reach = reachOf(settings, { ca: trustedCa, issuers: [issuer, quickstart.issuer] })
  const gateway = createGateway({
    functions,
    // What stands in a file is the operator's own.
    reachOf: ({ id }) => (id === loaded.api.id ? null : reach),
    ...{ apis: [loaded.api], clock, logger, fetchJson, trustedCa, accessLog },
    apiHostSuffix: defaultHostSuffix,
    revocations: [revocations],
    tokenCacheBytes: settings.gatewayTokenCacheBytes,
    accountThrottling: rate === undefined ? unlimited : { rateLimit: rate.perSecond, burstLimit: rate.atOnce },
    ...(gatewaySharedLimits ? { sharedBuckets: createSharedBuckets(database) } : {}),
  })
  const { gatewayPort: port, gatewayTlsPort: tlsPort, host } = settings
  const pems = gatewayTls === undefined ? undefined : pemsIn(gatewayTls)
  await gateway.listen(port, host).catch((error: Error) => {
    throw explainListenError(error, port, definitions.gatewayPort.variable)
  })
  if (pems !== undefined) {
    await gateway.listenTls(tlsPort, host).catch((error: Error) => {
      throw explainListenError(error, tlsPort, definitions.gatewayTlsPort.variable)
    })
  }
  const { metricsPort } = settings
  const metrics =
    metricsPort === undefined
      ? null
      : await serveMetrics(metricsPort, gateway.metrics).catch((error: Error) => {
          throw explainListenError(error, metricsPort, definitions.metricsPort.variable)
        })
  const place = { region, hostSuffix: defaultHostSuffix }
  const publisher = await startPublisher({ database, gateway, logger, clock, pems, fixed: [loaded.api], ...place })
  // Until then it would refuse whoever belongs to an organization; an issuer that does not answer is in the log.
  await Promise.race([revocations.ready, wait(5_000, undefined, { ref: false })])
  return {
    explain: gateway.explain,
    close: async () => {
      revocations.close()
      await publisher.stop()
      await metrics?.close()
      await gateway.close()
      await closeFunctions()
    },
  }
}

/** The control plane, through which clients of Amazon API Gateway v2 make and change APIs. */
export async function startControlPlane(
  settings: Settings,
  deps: {
    caFile: string
    /** Of this installation. */
    issuers: readonly string[]
    database: Database
    secrets: Secrets
    clock: Clock
    logger: Logger
    explain: Gateway['explain']
  },
): Promise<{ close(): Promise<void> }> {
  const { caFile, issuers, ...others } = deps
  const { guard, fetchJson } = reachOf(settings, { ca: readFileSync(caFile, 'utf8'), issuers })
  const app = await createControlPlane({
    ...others,
    region,
    hostSuffix: defaultHostSuffix,
    pems: settings.gatewayTls === undefined ? undefined : pemsIn(settings.gatewayTls),
    hasLogGroups: settings.gatewayLogGroups !== undefined,
    endpointOf: (id) => `http://${id}.${defaultHostSuffix}:${settings.gatewayPort}`,
    guard,
    discover: createDiscover(fetchJson),
  })
  const { controlPlanePort: port, host } = settings
  return listen(app, { port, host, variable: definitions.controlPlanePort.variable })
}

/** What the control plane's clients need, made at the first start. */
export async function controlPlaneAccess(
  deps: { database: Database; secrets: Secrets },
  environmentId: string,
): Promise<AccessKey & { region: string }> {
  return { region, ...(await ensureAccessKey(deps, environmentId)) }
}

/** Asks the issuer, with the gateway's own client, which organizations are suspended. */
function askForSuspensions(
  { httpIssuer: issuer, managementAudience: audience, gatewayClient }: GatewayQuickstart,
  deps: RevocationDeps,
): Revocations {
  const { client_id: clientId, client_secret: clientSecret } = gatewayClient
  const scope = 'read:organizations_summary'
  return createRevocations(
    {
      issuer,
      url: `${issuer}api/v2/suspended-organizations`,
      credentials: { tokenUrl: `${issuer}oauth/token`, clientId, clientSecret, audience, scope },
    },
    deps,
  )
}

const pemsIn = (directory: string): PemDirectory => createPemDirectory(usableDirectory(directory, 'gatewayTls'))

/** @throws Problem `invalid_setting` */
function usableDirectory(directory: string, setting: 'gatewayTls' | 'gatewayLogGroups'): string {
  const found = statSync(directory, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return resolve(directory)
  const { variable } = definitions[setting]
  throw settingProblems.invalid_setting({ facts: { variable, value: directory, reason: 'it is no directory' } })
}

/** @throws Problem `invalid_setting` */
async function openAccessLog(path: string, logger: Logger): Promise<AccessLog> {
  try {
    return logToLines(await openLogFile(path, logger))
  } catch (cause) {
    const { variable } = definitions.gatewayAccessLog
    throw settingProblems.invalid_setting({ facts: { variable, value: path, reason: (cause as Error).message }, cause })
  }
}

function readDefinition(): string {
  try {
    return readFileSync(definition, 'utf8')
  } catch (cause) {
    throw problems.definition_unreadable({ facts: { file: definition, reason: (cause as Error).message }, cause })
  }
}
