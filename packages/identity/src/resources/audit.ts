/**
 * Every write of the Management API leaves an entry in the tenant log before it is answered: who, from where, what was
 * sent and what came back, secrets redacted. So does a read that showed a secret.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { asker, type TenantLog } from '../logs/tenant-log.ts'

/** A read that showed one of these is logged as such. */
const SHOWN_SECRET = /"(client_secret|signing_secret)":"(?!\*)/

export async function auditOperation(
  log: TenantLog,
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): Promise<void> {
  const { environment, caller } = request
  // Whoever has no token could fill the log.
  if (!caller) return
  const succeeded = reply.statusCode < 400
  if (request.method === 'GET') {
    const shown = succeeded && typeof payload === 'string' && SHOWN_SECRET.test(payload)
    if (shown) log.add(environment.id, { type: 'mgmt_api_read', ...entryOf(request, reply, undefined) })
    return
  }
  const entry = entryOf(request, reply, payload)
  if (succeeded) await log.record(environment.id, { type: 'sapi', ...entry })
  else log.add(environment.id, { type: 'fapi', ...entry })
}

function entryOf(request: FastifyRequest, reply: FastifyReply, payload: unknown) {
  const { caller } = request
  const schema = request.routeOptions.schema as { summary?: string; operationId?: string } | undefined
  return {
    ...asker(request),
    ...(schema?.summary ? { description: schema.summary } : {}),
    client_id: caller?.clientId ?? null,
    user_id: caller?.userId ?? null,
    details: {
      request: {
        method: request.method.toLowerCase(),
        // The query may hold what a body would.
        path: request.url.split('?')[0],
        query: request.query,
        body: bodyOf(request.body),
        channel: 'api',
        auth: { strategy: 'jwt', user: caller?.userId ? { user_id: caller.userId } : {}, client_id: caller?.clientId },
      },
      response: { statusCode: reply.statusCode, body: parsed(payload) },
      operation: schema?.operationId,
    },
  }
}

/** Files are not repeated in a log. */
const bodyOf = (body: unknown): unknown =>
  Buffer.isBuffer(body) || typeof body === 'string' ? { bytes: body.length } : body

function parsed(payload: unknown): unknown {
  if (typeof payload !== 'string' || payload === '') return undefined
  try {
    return JSON.parse(payload)
  } catch {
    return { bytes: payload.length }
  }
}
