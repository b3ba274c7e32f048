/**
 * The control plane: the REST API of Amazon API Gateway v2 as unmodified SDKs send it. Each request is signed with a key
 * of one environment and sees that environment's APIs alone. This function is the table of contents.
 */

import { createServer, logProblem, toProblem } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { Problem } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply } from 'fastify'
import { createAccessKeys } from './access-keys/access-keys.ts'
import { apiMappings } from './api-mappings/operations.ts'
import { apis } from './apis/operations.ts'
import { authorizers } from './authorizers/operations.ts'
import { deployments } from './deployments/operations.ts'
import { documents } from './documents/operations.ts'
import { domainNames } from './domain-names/operations.ts'
import { explanations } from './explanations/operations.ts'
import { integrations } from './integrations/operations.ts'
import type { ControlPlaneDeps } from './operation.ts'
import { problems } from './problems.ts'
import { refused } from './refused.ts'
import { routes } from './routes/operations.ts'
import { requireSignature } from './signature/require-signature.ts'
import { stages } from './stages/operations.ts'
import { resourceTags } from './tags/operations.ts'

/** Amazon's own limit of a definition is 6 MB. */
const bodyLimit = 7 * 1024 * 1024

export async function createControlPlane(deps: ControlPlaneDeps & { logger: Logger; secrets: Secrets }): Promise<Api> {
  const { logger, clock, region } = deps
  const app = createServer({ logger, bodyLimit })
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-amzn-requestid', request.id)
  })
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error)
    logProblem(request.log, problem)
    return answer(reply, problem)
  })
  app.setNotFoundHandler((_request, reply) =>
    answer(reply, problems.UnknownOperationException({ facts: { reason: 'There is no such operation.' } })),
  )
  await app.register(async (signed) => {
    requireSignature(signed as unknown as Api, { keys: createAccessKeys(deps), clock, region })
    for (const slice of [apis, documents, integrations, authorizers, routes, deployments, stages]) {
      await signed.register(slice(deps))
    }
    for (const slice of [domainNames, apiMappings, resourceTags, explanations, refused])
      await signed.register(slice(deps))
  })
  return app
}

function answer(reply: FastifyReply, problem: Problem): FastifyReply {
  const name = Object.hasOwn(problems, problem.code) ? problem.code : (names[problem.status] ?? 'InternalFailure')
  return reply
    .code(problem.status)
    .header('x-amzn-errortype', name)
    .type('application/json')
    .serializer(JSON.stringify)
    .send({ message: problem.message })
}

/** Of refusals that do not come from here: a schema, the parser, a definition, a database that is away. */
const names: Readonly<Record<number, string>> = {
  400: 'BadRequestException',
  403: 'AccessDeniedException',
  404: 'NotFoundException',
  409: 'ConflictException',
  413: 'RequestEntityTooLargeException',
  415: 'UnsupportedMediaTypeException',
  503: 'ServiceUnavailableException',
}
