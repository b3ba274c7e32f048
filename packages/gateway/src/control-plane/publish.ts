/**
 * From the store to the data plane, in every process: a change is announced by the database and read at once; a look
 * every few seconds finds what an announcement missed. A stage that cannot be served takes no other down and says why.
 */
import { type Clock, milliseconds } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { Api, Definition, Endpoint } from '../api.ts'
import type { Gateway } from '../gateway.ts'
import type { PemDirectory } from '../tls/directory.ts'
import type { Domain } from '../tls/domain.ts'
import { apiOf } from './compose.ts'
import { createDomainReader } from './domain-names/serve.ts'
import { deployedMessage, failedMessage } from './editing.ts'
import * as store from './publish-store.ts'

export interface PublisherDeps {
  readonly database: Database
  readonly gateway: Pick<Gateway, 'replace' | 'replaceDomains' | 'resetAuthorizers'>
  readonly logger: Logger
  readonly region: string
  /** An API answers at `{apiId}.{hostSuffix}`. */
  readonly hostSuffix: string
  /** Served beside the stored ones; from files. */
  readonly fixed?: readonly Api[]
  /** Where certificates and truststores of domains lie. */
  readonly pems?: PemDirectory | undefined
  readonly clock: Clock
  /** Milliseconds between two looks. */
  readonly everyMs?: number
}

export interface Publisher {
  stop(): Promise<void>
}

interface Published {
  /** What it was composed from; the same text composes the same value. */
  readonly source: string
  readonly api: Api
  readonly stage: store.ServedStage
}

/** Serves what is stored, and every change to it. Resolves when the first of it is served. */
export async function startPublisher(deps: PublisherDeps): Promise<Publisher> {
  const { database, gateway, logger, fixed = [], everyMs = 3000 } = deps
  const definitions = new Map<string, Definition>()
  let published = new Map<string, Published>()
  let isStopped = false

  const publish = async (): Promise<void> => {
    const { stages, mappings, domains } = await database.acrossEnvironments(
      'serve the APIs of all environments',
      (sql) =>
        store.snapshot(sql, async (tx) => {
          const [stages, mappings, domains] = await Promise.all([
            store.stages(tx),
            store.mappings(tx),
            store.domains(tx),
          ])
          for (const stage of stages) {
            const key = deploymentKey(stage)
            if (definitions.has(key)) continue
            const definition = await store.definition(tx, stage)
            if (definition !== undefined) definitions.set(key, definition)
          }
          return { stages, mappings, domains }
        }),
    )
    const truststores = new Map(
      domains.flatMap(({ name, settings }) => {
        const uri: string | undefined = settings.mutualTlsAuthentication?.truststoreUri
        return uri === undefined ? [] : [[name, uri] as const]
      }),
    )
    await serveDomains(domains)
    const next = new Map<string, Published>()
    for (const stage of stages) {
      const definition = definitions.get(deploymentKey(stage))
      // A deployment that failed has none, and nothing is served of it.
      if (definition === undefined) continue
      const key = JSON.stringify([stage.api_id, stage.name])
      const endpoints = endpointsOf(stage, mappings, truststores, deps.hostSuffix)
      const source = JSON.stringify([stage.deployment_id, stage.settings, endpoints])
      const before = published.get(key)
      const placement = { accountId: stage.account_id, region: deps.region, endpoints }
      const api = before?.source === source ? before.api : apiOf(definition, stage, placement)
      next.set(key, { source, api, stage })
    }
    const isSame = next.size === published.size && [...next].every(([key, { api }]) => published.get(key)?.api === api)
    if (isSame && isBegun) return
    const used = new Set(stages.map(deploymentKey))
    for (const key of definitions.keys()) if (!used.has(key)) definitions.delete(key)
    const unserved = gateway.replace([...fixed, ...[...next.values()].map(({ api }) => api)])
    published = next
    isBegun = true
    for (const each of next.values()) {
      const failure = unserved.find(({ api }) => api === each.api)?.reason ?? null
      await report(each.stage, failure)
    }
  }
  let isBegun = false

  // Before the APIs: a domain's own are served once it can be told who may come.
  const serveDomains = async (named: readonly store.ServedDomain[]): Promise<void> => {
    const domains = await readDomains(
      named.map(({ name, account_id: accountId, settings }) => ({ name, accountId, settings })),
    )
    const isSame = domains.length === served.length && domains.every((domain, i) => domain === served[i])
    if (isSame) return
    gateway.replaceDomains(domains)
    served = domains
  }
  let served: readonly Domain[] = []
  const now = milliseconds(deps.clock)
  const readDomains = createDomainReader({ pems: deps.pems, logger, now })

  const report = async (stage: store.ServedStage, failure: string | null): Promise<void> => {
    if (failure !== null) {
      logger.error({ api: stage.api_id, stage: stage.name, deployment: stage.deployment_id, failure }, 'not served')
    }
    if (failure === stage.status_message) return
    const message = failure === null ? deployedMessage(stage.deployment_id) : failedMessage(failure)
    await database.acrossEnvironments('say how serving a stage went', (sql) =>
      store.report(sql, stage, failure, message),
    )
  }

  // One at a time; what is announced meanwhile is read by one more.
  let running: Promise<void> | null = null
  let isDue = false
  const refresh = (): Promise<void> => {
    isDue = true
    running ??= (async () => {
      while (isDue && !isStopped) {
        isDue = false
        await publish()
      }
    })().finally(() => {
      running = null
    })
    return running
  }
  const refreshQuietly = (): void => {
    if (isStopped) return
    // What is served is served on.
    refresh().catch((err: unknown) => logger.warn({ err }, 'the stored APIs could not be read'))
  }

  await refresh()
  await database.listen('gateway_changes', refreshQuietly)
  await database.listen('gateway_cache_resets', (stage) => {
    if (stage === undefined) return
    const [apiId, name] = JSON.parse(stage) as [string, string]
    gateway.resetAuthorizers(apiId, name)
  })
  const timer = setInterval(refreshQuietly, everyMs)
  timer.unref()
  return {
    async stop() {
      isStopped = true
      clearInterval(timer)
      await running?.catch(() => undefined)
    },
  }
}

const deploymentKey = ({ environment_id, api_id, deployment_id }: store.ServedStage): string =>
  JSON.stringify([environment_id, api_id, deployment_id])

/** An API that has switched its own endpoint off still holds that name; the data plane sees to it. */
function endpointsOf(
  { environment_id, api_id, name }: store.ServedStage,
  mappings: readonly store.Mapping[],
  truststores: ReadonlyMap<string, string>,
  hostSuffix: string,
): readonly Endpoint[] {
  const mapped = mappings
    .filter((each) => each.environment_id === environment_id && each.api_id === api_id && each.stage === name)
    .map((each): Endpoint => {
      const truststoreUri = truststores.get(each.domain_name)
      const demand = truststoreUri === undefined ? {} : { truststoreUri }
      return { host: each.domain_name, basePath: each.mapping_key, kind: 'mapping', ...demand }
    })
  return [{ host: `${api_id}.${hostSuffix}`, basePath: name === '$default' ? '' : name, kind: 'stage' }, ...mapped]
}
