import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createDiscover } from '@tenantry/gateway/authorizers/discovery.ts'
import { createFetchJson } from '@tenantry/gateway/authorizers/fetch-json.ts'
import { loadOpenApi } from '@tenantry/gateway/definition/openapi.ts'
import { createGateway } from '@tenantry/gateway/gateway.ts'
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { explainListenError } from './listen.ts'
import { definitions, type Settings } from './settings.ts'

export const problems = defineProblems({
  definition_unreadable: { status: 500, title: 'The API definition {file} cannot be read: {reason}.' },
})

const definition = fileURLToPath(new URL('../../../examples/saas/api.openapi.yaml', import.meta.url))

/** The gateway in front of the sample's services, configured by their OpenAPI file. */
export async function startGateway(
  settings: Settings,
  deps: {
    quickstart: { httpIssuer: string; apiAudience: string; appUrl: string; caFile: string }
    services: Record<string, string>
    clock: Clock
    logger: Logger
  },
): Promise<{ close(): Promise<void> }> {
  const { quickstart, services, clock, logger } = deps
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
  const gateway = createGateway({ apis: [loaded.api], clock, logger, fetchJson, trustedCa })
  const { gatewayPort: port, host } = settings
  await gateway.listen(port, host).catch((error: Error) => {
    throw explainListenError(error, port, definitions.gatewayPort.variable)
  })
  return { close: gateway.close }
}

function readDefinition(): string {
  try {
    return readFileSync(definition, 'utf8')
  } catch (cause) {
    throw problems.definition_unreadable({ facts: { file: definition, reason: (cause as Error).message }, cause })
  }
}
