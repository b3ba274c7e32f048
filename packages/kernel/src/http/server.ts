/**
 * The Fastify instance that every HTTP surface of the product starts from: strict bodies, strict schemas, request ids,
 * and a log that names the route and never the query, the body, a header or a cookie.
 */
import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { Ajv, type ValidateFunction } from 'ajv'
import formats from 'ajv-formats'
import fastJsonStringify from 'fast-json-stringify'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyContextConfig,
  type FastifyError,
  type FastifyReply,
  type FastifySchema,
  LogController,
} from 'fastify'
import { Problem } from '../problem.ts'
import { bodyProblems, inPieces, parseForm, parseJson } from './body.ts'
import { forwardedAddresses } from './forwarded.ts'
import type { Api } from './slice.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route of this server, as it was declared: documentation and tests are made from it. */
    mounted: MountedRoute[]
  }
}

export interface MountedRoute {
  method: string
  url: string
  schema: FastifySchema | undefined
  config: FastifyContextConfig | undefined
}

export interface ServerOptions {
  logger: FastifyBaseLogger
  /** Bytes; larger bodies are refused with 413. */
  bodyLimit?: number
  /**
   * Addresses or networks (CIDR) of proxies in front. Only their X-Forwarded-For says who a request comes from; from
   * anybody else it is a claim that would get around limits (CVE-2023-36456).
   */
  trustedProxies?: string[] | undefined
}

export function createServer({ logger, bodyLimit = 256 * 1024, trustedProxies = [] }: ServerOptions): Api {
  const app = Fastify({
    loggerInstance: logger,
    bodyLimit,
    trustProxy: trustedProxies.length > 0 ? trustedProxies : false,
    logController: new LogController({ disableRequestLogging: true }),
    // Node keeps random bytes ready for these; drawing them one by one costs a system call each.
    genReqId: () => randomUUID(),
    routerOptions: { maxParamLength: 512, ignoreTrailingSlash: false },
    frameworkErrors: (_error, _request, reply) => refuseAddress(reply as unknown as FastifyReply),
  }) as unknown as Api

  app.decorate('mounted', [])
  app.addHook('onRoute', ({ method, url, schema, config }) => {
    for (const each of [method].flat()) app.mounted.push({ method: each, url, schema, config })
  })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    async (_request: unknown, body: Buffer) => (body.length === 0 ? undefined : parseJson(body)),
  )
  app.addContentTypeParser<Buffer>(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer' },
    async (_request: unknown, body: Buffer) => parseForm(body),
  )

  // Before anything asks who a request comes from, and only where a proxy may say so.
  if (trustedProxies.length > 0) {
    app.addHook('onRequest', async ({ raw: { headers } }) => {
      const addresses = forwardedAddresses([headers['x-forwarded-for']].flat().join(', '))
      if (addresses === undefined) delete headers['x-forwarded-for']
      else headers['x-forwarded-for'] = addresses
    })
  }

  app.addHook('preParsing', async (request, _reply, payload) =>
    request.headers['transfer-encoding'] === undefined
      ? payload
      : Readable.from(inPieces(payload as AsyncIterable<Buffer>), { objectMode: false }),
  )

  // Query strings are text and must be coerced; bodies are typed and must not be. Unknown members are an error in both.
  const options = { removeAdditional: false, useDefaults: true, allErrors: false, strict: false, allowUnionTypes: true }
  const strict = new Ajv({ ...options, coerceTypes: false })
  const coercing = new Ajv({ ...options, coerceTypes: true })
  for (const ajv of [strict, coercing]) formats.default(ajv)
  // Compiled when a route is first used: all of them at once were a quarter of the start.
  app.setValidatorCompiler(({ schema, httpPart }) => {
    let compiled: ValidateFunction | undefined
    const validate = (data: unknown): boolean => {
      compiled ??= (httpPart === 'querystring' ? coercing : strict).compile(schema as object)
      const fits = compiled(data) as boolean
      validate.errors = compiled.errors ?? null
      return fits
    }
    validate.errors = null as ValidateFunction['errors']
    return validate
  })
  app.setSerializerCompiler(({ schema }) => {
    let compiled: ((data: unknown) => string) | undefined
    return (data) => {
      compiled ??= fastJsonStringify(schema as object)
      return compiled(data)
    }
  })

  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    if (/%00/.test(request.url))
      throw bodyProblems.invalid_body({ facts: { reason: 'The address holds a NUL character.' } })
  })
  // Whatever is away is looked for again at once; without the header, clients choose their own pause or none.
  app.addHook('onSend', async (_request, reply) => {
    if (reply.statusCode === 503 && !reply.hasHeader('retry-after')) reply.header('retry-after', '1')
  })
  // These five members are known to be harmless, so the search for secrets, a fifth of a line's cost, is left out.
  const requests = logger.child({}, { redact: [] } as Parameters<FastifyBaseLogger['child']>[1])
  app.addHook('onResponse', async (request, reply) => {
    requests.info(
      {
        reqId: request.id,
        method: request.method,
        route: request.routeOptions.url ?? '(none)',
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      'request',
    )
  })
  return app
}

/** An address that cannot be decoded belongs to no route, and so to no surface that could shape its refusal. */
function refuseAddress(reply: FastifyReply): void {
  const message = 'The address is not valid percent-encoded UTF-8.'
  reply.code(400).send({ statusCode: 400, error: 'Bad Request', message, errorCode: 'invalid_uri' })
}

/**
 * Any thrown value as a Problem: Fastify's own refusals (size, media type, schema) become 4xx with their reason, and
 * everything unknown becomes a 500 whose cause stays in the log.
 */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const fastify = error as FastifyError
  if (fastify.validation) {
    const part =
      fastify.validationContext === 'querystring'
        ? 'invalid_query_string'
        : fastify.validationContext === 'params'
          ? 'invalid_uri'
          : 'invalid_body'
    return new Problem(part, 400, `Payload validation error: ${describe(fastify)}`, { cause: error })
  }
  if (fastify.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new Problem('payload_too_large', 413, 'The body is larger than this endpoint accepts.', { cause: error })
  }
  if (typeof fastify.statusCode === 'number' && fastify.statusCode >= 400 && fastify.statusCode < 500) {
    return new Problem('invalid_request', fastify.statusCode, fastify.message, { cause: error })
  }
  return new Problem(
    'server_error',
    500,
    'Something failed on our side. The log has the details under this request id.',
    { cause: error },
  )
}

function describe(error: FastifyError): string {
  const first = error.validation?.[0]
  const where = first?.instancePath ? ` on property ${first.instancePath.slice(1).replaceAll('/', '.')}` : ''
  const extra =
    first?.params && 'additionalProperty' in first.params
      ? `: '${String(first.params.additionalProperty).slice(0, 80)}'`
      : ''
  return `'${first?.message ?? error.message}${extra}'${where}.`
}

/** Writes the internal side of a refusal to the log: 5xx loudly, 4xx quietly, never the request's content. */
export function logProblem(logger: FastifyBaseLogger, problem: Problem): void {
  const entry = { problem: problem.code, status: problem.status, internal: problem.internal }
  if (problem.status >= 500) logger.error({ ...entry, err: problem.cause ?? problem }, problem.message)
  else logger.info(entry, 'refused')
}
