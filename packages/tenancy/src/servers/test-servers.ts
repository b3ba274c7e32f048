/** One small service, written for each adapter as somebody who uses that framework would: the suite treats all alike. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import express from 'express'
import express4 from 'express-4'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import { streamText } from 'hono/streaming'
import { currentIdentity, identityIfAny } from '../identity/context.ts'
import { requireScope } from '../identity/saas-identity.ts'
import * as forExpress from './express.ts'
import * as forFastify from './fastify.ts'
import * as forHono from './hono.ts'
import { type Authenticate, refusalAnswer } from './http.ts'
import * as forNode from './node.ts'

export interface Service {
  url: string
  port: number
  close(): Promise<void>
}

/** What the service notices beside its answers: the label, and whose identity it was noticed under. */
export type Notice = (label: string, tenantId: string | undefined) => void
type Start = (authenticate: Authenticate, notice: Notice) => Promise<Service>

const tenant = () => identityIfAny()?.tenantId
/** Leaves the turn of the event loop, so that other requests come in between. */
const rest = () => wait(Math.random() * 4)

const me = async () => {
  await rest()
  const { tenantId, subject } = currentIdentity()
  return { tenantId, subject }
}
const refuses = async () => {
  await rest()
  requireScope(currentIdentity(), 'delete:item')
}
const fails = async () => {
  await rest()
  throw new Error('the password is hunter2')
}
const later = (notice: Notice) => {
  setTimeout(() => notice('timer', tenant()), 20)
  return { started: true }
}
async function* parts() {
  for (let part = 0; part < 10; part++) {
    await rest()
    yield `${currentIdentity().tenantId}\n`
  }
}
/** Listeners of Node's own objects, as loggers and clean-ups of aborted requests have them. */
const watch = (request: IncomingMessage, response: ServerResponse, notice: Notice) => {
  const label = request.url ?? ''
  request.on('close', () => notice(`request closes ${label}`, tenant()))
  response.on('finish', () => notice(`answer ends ${label}`, tenant()))
  response.on('close', () => notice(`answer closes ${label}`, tenant()))
}

async function listen(handler: RequestListener | Server): Promise<Service> {
  const server = typeof handler === 'function' ? createServer(handler) : handler
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}`, port, close }
}

const inExpress =
  (create: typeof express): Start =>
  (authenticate, notice) => {
    const { tenantRoute, refusals } = forExpress
    const app = create()
    // Express 4 does not wait for promises of handlers.
    const answer =
      (work: (body: unknown) => unknown): express.RequestHandler =>
      async (request, response, next) => {
        watch(request, response, notice)
        try {
          response.json(await work(request.body))
        } catch (error) {
          next(error)
        }
      }
    app.get('/public', (_request, response) => void response.json({ tenantId: tenant() ?? null }))
    app.use(tenantRoute(authenticate), express.json())
    app.get('/me', tenantRoute(authenticate, 'read:item'), answer(me))
    app.post(
      '/echo',
      answer((body) => ({ tenantId: currentIdentity().tenantId, body })),
    )
    app.get('/scoped', tenantRoute(authenticate, 'delete:item', 'admin:item'), answer(me))
    app.get('/refuses', answer(refuses))
    app.get('/fails', answer(fails))
    app.get(
      '/later',
      answer(() => later(notice)),
    )
    app.get('/stream', async (_request, response) => {
      for await (const part of parts()) response.write(part)
      response.end()
    })
    app.get('/hangs', (request, response) => watch(request, response, notice))
    app.use(refusals())
    app.use(((_error, _request, response, _next) => {
      notice('error handler', tenant())
      response.status(500).json({ message: 'Internal Server Error' })
    }) satisfies express.ErrorRequestHandler)
    return listen(app)
  }

const inFastify: Start = async (authenticate, notice) => {
  const { tenantRoute } = forFastify
  const app = fastify()
  app.setErrorHandler((error, _request, reply) => {
    const refusal = refusalAnswer(error)
    if (refusal) return reply.code(refusal.status).headers(refusal.headers).send(refusal.body)
    notice('error handler', tenant())
    return reply.code(500).send({ message: 'Internal Server Error' })
  })
  app.get('/public', async () => ({ tenantId: tenant() ?? null }))
  await app.register(async (plugin) => {
    const { onRequest, preValidation } = tenantRoute(authenticate)
    plugin.addHook('onRequest', onRequest)
    plugin.addHook('preValidation', preValidation)
    plugin.addHook('preHandler', async (request, reply) => watch(request.raw, reply.raw, notice))
    plugin.get('/me', tenantRoute(authenticate, 'read:item'), me)
    plugin.post('/echo', async ({ body }) => ({ tenantId: currentIdentity().tenantId, body }))
    plugin.get('/scoped', tenantRoute(authenticate, 'delete:item', 'admin:item'), me)
    plugin.get('/refuses', refuses)
    plugin.get('/fails', fails)
    plugin.get('/later', async () => later(notice))
    plugin.get('/stream', (_request, reply) => reply.send(Readable.from(parts())))
    plugin.get('/hangs', () => new Promise(() => {}))
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return listen(app.server)
}

const inHono: Start = (authenticate, notice) => {
  const { tenantRoute, refusalResponse } = forHono
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.onError((error, c) => {
    const refusal = refusalResponse(error)
    if (refusal) return refusal
    notice('error handler', tenant())
    return c.json({ message: 'Internal Server Error' }, 500)
  })
  app.get('/public', (c) => c.json({ tenantId: tenant() ?? null }))
  app.use(tenantRoute(authenticate))
  app.get('/me', tenantRoute(authenticate, 'read:item'), async (c) => c.json(await me()))
  app.post('/echo', async (c) => c.json({ body: await c.req.json(), tenantId: currentIdentity().tenantId }))
  app.get('/scoped', tenantRoute(authenticate, 'delete:item', 'admin:item'), async (c) => c.json(await me()))
  app.get('/refuses', async (c) => c.json(await refuses()))
  app.get('/fails', async (c) => c.json(await fails()))
  app.get('/later', (c) => c.json(later(notice)))
  app.get('/stream', (c) =>
    streamText(c, async (stream) => {
      for await (const part of parts()) await stream.write(part)
    }),
  )
  app.get('/hangs', (c) => {
    c.req.raw.signal.addEventListener('abort', () => notice('request closes /hangs', tenant()))
    return new Promise<Response>(() => {})
  })
  return listen(getRequestListener(app.fetch))
}

const inNode: Start = (authenticate, notice) => {
  const { tenantRoute } = forNode
  const json = (response: ServerResponse, value: unknown, status = 200) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
  const answer =
    (work: (request: IncomingMessage) => unknown): forNode.Handler =>
    async (request, response) => {
      watch(request, response, notice)
      json(response, await work(request))
    }
  const echo = async (request: IncomingMessage) => {
    let text = ''
    for await (const chunk of request) text += chunk
    return { tenantId: currentIdentity().tenantId, body: JSON.parse(text) }
  }
  const allow = tenantRoute(authenticate)
  const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => Promise<void>> = {
    '/public': async (_request, response) => void json(response, { tenantId: tenant() ?? null }),
    '/me': tenantRoute(authenticate, 'read:item')(answer(me)),
    '/echo': allow(answer(echo)),
    // A route within what stands for all: as a plugin and its route.
    '/scoped': allow(tenantRoute(authenticate, 'delete:item', 'admin:item')(answer(me))),
    '/refuses': allow(answer(refuses)),
    '/fails': allow(answer(fails)),
    '/later': allow(answer(() => later(notice))),
    '/stream': allow(async (_request, response) => {
      for await (const part of parts()) response.write(part)
      response.end()
    }),
    '/hangs': allow(watchOnly(notice)),
  }
  return listen((request, response) => {
    routes[request.url?.split('?')[0] ?? '']?.(request, response).catch(() => {
      notice('error handler', tenant())
      json(response, { message: 'Internal Server Error' }, 500)
    })
  })
}
const watchOnly =
  (notice: Notice): forNode.Handler =>
  (request, response) =>
    watch(request, response, notice)

export const servers: Record<string, Start> = {
  'Express 5': inExpress(express),
  'Express 4': inExpress(express4 as unknown as typeof express),
  Fastify: inFastify,
  Hono: inHono,
  'node:http': inNode,
}
