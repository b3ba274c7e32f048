import { getHeapStatistics } from 'node:v8'
import type { Logger } from 'pino'
import type { Api, Authorizer } from '../api.ts'
import type { Functions } from '../functions/functions.ts'
import type { CompiledAuthorizer } from './authorizer.ts'
import type { FetchJson } from './fetch-json.ts'
import { createJwtAuthorizer } from './jwt.ts'
import { createLambdaAuthorizer } from './lambda/authorizer.ts'
import type { Revocations } from './revocation.ts'

export interface AuthorizerDeps {
  readonly now: () => number
  readonly logger: Logger
  readonly functions: Functions | undefined
  /** How the issuers of an API are asked. */
  readonly fetchJsonOf: (api: Api) => FetchJson
  readonly revocations: readonly Revocations[]
  readonly cacheBytes: number | undefined
}

const usualCacheBytes = (): number => Math.min(256 * 2 ** 20, Math.floor(getHeapStatistics().heap_size_limit / 16))

/** @throws Error for one whose function nobody runs, and what `createLambdaAuthorizer` throws */
export function createAuthorizer(api: Api, config: Authorizer, deps: AuthorizerDeps): CompiledAuthorizer {
  const { now, logger, functions, cacheBytes = usualCacheBytes() } = deps
  const { stage } = api
  if (config.type === 'JWT') {
    return createJwtAuthorizer(config, {
      now,
      fetchJson: deps.fetchJsonOf(api),
      cacheBytes,
      revocationsOf: (issuer) => deps.revocations.find((each) => each.issuer === issuer) ?? null,
      onFault: (issuer, at, err) =>
        logger.warn({ issuer, stage: at, err }, 'the keys of an issuer could not be fetched'),
    })
  }
  if (functions === undefined) {
    throw new Error(`the authorizer's function ${config.functionArn} cannot be run: the gateway was given no functions`)
  }
  return createLambdaAuthorizer(config, { functions, stageVariables: stage.variables, now, cacheBytes })
}
