/** One way to make an HTTP server for the four services, and one way for them to call each other. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { LifecycleRefused, refusalAnswer, StepRefused } from '@tenantry/tenancy'
import { ManagementError } from 'auth0'
import Fastify, { type FastifyInstance } from 'fastify'
import Type from 'typebox'
import { Refusal } from './refusal.ts'

export interface Logger {
  info(facts: object, message: string): void
  error(facts: object, message: string): void
}

/** Unknown members are refused, never dropped: a `tenantId` in a body is a mistake or an attack, and both want to be told. */
export function createServer(name: string, logger: Logger): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: 64 * 1024,
    // The gateway and the web server of this machine say whom they speak for; anybody else's word does not count.
    trustProxy: 'loopback',
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allErrors: false } },
  })
  app.setErrorHandler((error: Error & { validation?: unknown; statusCode?: number }, request, reply) => {
    const refusal = refusalAnswer(error)
    if (refusal) return reply.code(refusal.status).headers(refusal.headers).send(refusal.body)
    if (error instanceof StepRefused || error instanceof LifecycleRefused) {
      return reply.code(error.status).send({ code: error.code, message: error.message })
    }
    // The issuer's limits, such as that of mails to one address, are the caller's to wait for.
    if (error instanceof ManagementError && error.statusCode === 429) {
      const message = 'That is more than is allowed at the moment. Wait a while and try again.'
      return reply.code(429).header('retry-after', '60').send({ code: 'too_many_requests', message })
    }
    if (error.validation)
      return reply.code(400).send({ code: 'request_invalid', message: `${sentence(error.message)}` })
    if (error.statusCode && error.statusCode < 500) {
      return reply.code(error.statusCode).send({ code: 'request_invalid', message: sentence(error.message) })
    }
    logger.error({ service: name, method: request.method, route: request.routeOptions.url, error }, 'request failed')
    return reply.code(500).send({ code: 'internal_error', message: 'Something failed on our side. Try again.' })
  })
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ code: 'not_found', message: 'Not found.' }))
  return app
}

/** Of routes that know no query: one that names a tenant is told so. */
export const NoQuery = Type.Object({}, { additionalProperties: false })

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`.replace(/\.\.$/, '.')

/** Guards the routes that only other services of Stockroom may call. */
export function internalOnly(app: FastifyInstance, internalKey: string): void {
  const expected = digest(`Bearer ${internalKey}`)
  app.addHook('onRequest', async (request) => {
    if (!request.url.startsWith('/internal/')) return
    if (!timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) {
      throw new Refusal(404, 'not_found', 'Not found.')
    }
  })
}

const digest = (text: string) => createHash('sha256').update(text).digest()

export type InternalCall = (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>

/**
 * Calls another service of Stockroom, by its address or, where it has none, directly. A refusal there (409, 422) becomes the
 * same refusal here; whatever else goes wrong is an error, and worth another try.
 */
export function internalClient(target: () => string | FastifyInstance, internalKey: string): InternalCall {
  return async (method, path, body) => {
    const { status, text } = await send(
      target(),
      method,
      `/internal${path}`,
      {
        authorization: `Bearer ${internalKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body === undefined ? undefined : JSON.stringify(body),
    )
    const answer = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
    if (status < 300) return answer
    if (status === 409 || status === 422) throw new Refusal(status, String(answer.code), String(answer.message))
    throw new Error(`${method} ${path} answered ${status} ${String(answer.code)}.`)
  }
}

async function send(
  target: string | FastifyInstance,
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string | undefined,
): Promise<{ status: number; text: string }> {
  if (typeof target === 'string') {
    const signal = AbortSignal.timeout(20_000)
    const response = await fetch(target + path, { method, headers, signal, ...(body === undefined ? {} : { body }) })
    return { status: response.status, text: await response.text() }
  }
  const given = { method: method as 'GET', url: path, headers, ...(body === undefined ? {} : { payload: body }) }
  const answer = await target.inject(given)
  return { status: answer.statusCode, text: answer.body }
}
