/** Servers: each is asked by the caller, and by somebody without a token. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { refusalAnswer } from '@tenantry/tenancy'
import * as forExpress from '@tenantry/tenancy/express'
import * as forHono from '@tenantry/tenancy/hono'
import express from 'express'
import { type FastifyInstance, fastify } from 'fastify'
import { Hono } from 'hono'
import type { Desk } from '../desk.ts'
import { setup } from './setup.ts'

const ITEMS = [{ name: 'Anvil' }, { name: 'Rope' }]

async function isServed(port: number, { token }: Desk): Promise<void> {
  const url = `http://127.0.0.1:${port}/items`
  const served = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
  assert.deepEqual([served.status, await served.json()], [200, ITEMS])
  await isRefused(await fetch(url))
}
async function isRefused(answer: Response): Promise<void> {
  const { code } = (await answer.json()) as { code: string }
  assert.deepEqual([answer.status, answer.headers.get('www-authenticate'), code], [401, 'Bearer', 'token_missing'])
}
/** The server goes with the thread. */
async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function fastifyServes({ app, ...desk }: Desk & { app: FastifyInstance }): Promise<void> {
  await app.ready()
  await isServed(await listen((request, response) => app.routing(request, response)), desk)
}

/** As the gateway makes it, from its golden files. */
function lambdaEvent(context: object, token?: string) {
  const file = new URL('../../../packages/gateway/src/payload/testdata/events/2-minimal/out.json', import.meta.url)
  const event = JSON.parse(readFileSync(file, 'utf8'))
  Object.assign(event.requestContext, context)
  if (token) event.headers.authorization = `Bearer ${token}`
  return event
}
const lambdaServed = { statusCode: 200, body: JSON.stringify(ITEMS) }

export const serverSetups = {
  'tenancy/express tenantRoute': setup({
    verify: async (desk, { app }) => isServed(await listen(app), desk),
  }),
  'tenancy/express refusals': setup({
    given: ({ authenticate }) => ({ app: express().use(forExpress.tenantRoute(authenticate)) }),
    verify: async ({ app }) => isRefused(await fetch(`http://127.0.0.1:${await listen(app)}/items`)),
  }),
  'tenancy/fastify tenantRoute': setup({ given: () => ({ app: fastify() }), verify: fastifyServes }),
  'tenancy/fastify tenantRoute, for all routes of a plugin': setup({
    given: () => ({
      app: fastify().setErrorHandler((error, _request, reply) => {
        const { status, headers, body } = refusalAnswer(error)!
        reply.code(status).headers(headers).send(body)
      }),
    }),
    verify: fastifyServes,
  }),
  'tenancy/hono tenantRoute': setup({
    given: () => ({ app: new Hono() }),
    verify: async (desk) => isServed(await listen(getRequestListener(desk.app.fetch)), desk),
  }),
  'tenancy/hono refusalResponse': setup({
    given: ({ authenticate }) => ({ app: new Hono().use(forHono.tenantRoute(authenticate)) }),
    verify: async ({ app }) => isRefused(await app.request('/items')),
  }),
  'tenancy/node tenantRoute': setup({
    given: async () => ({ port: await freePort() }),
    verify: (desk) => isServed(desk.port, desk),
  }),
  'tenancy/lambda tenantRoute': setup({
    async verify({ token }, { handler }) {
      assert.deepEqual(await handler(lambdaEvent({}, token)), lambdaServed)
      assert.equal((await handler(lambdaEvent({}))).statusCode, 401)
    },
  }),
  'tenancy/lambda trustGateway': setup({
    async verify({ tenantId }, { handler }) {
      const claims = {
        ...{ sub: 'auth0|maria', iss: 'https://login.example.com/', scope: 'read:item' },
        ...{ exp: String(Math.floor(Date.now() / 1000) + 600), 'https://example.com/tenantId': tenantId },
      }
      const authorizer = { jwt: { claims, scopes: null } }
      assert.deepEqual(await handler(lambdaEvent({ apiId: 'a1b2c3d4e5', authorizer })), lambdaServed)
      assert.equal((await handler(lambdaEvent({ apiId: 'another', authorizer }))).statusCode, 401)
    },
  }),
}
