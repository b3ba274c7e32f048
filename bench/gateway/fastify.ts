/** What a team would build from well-kept parts: Fastify with its own plugins for tokens, limits and proxying. */
import { readFileSync } from 'node:fs'
import fastifyJwt from '@fastify/jwt'
import rateLimit from '@fastify/rate-limit'
import replyFrom from '@fastify/reply-from'
import fastify, { type FastifyRequest } from 'fastify'
import { pino } from 'pino'

export interface FastifyOptions {
  readonly port: number
  readonly upstream: number
  readonly issuer: string
  readonly audience: string
  readonly logFile: string
  /** Of verified tokens. `@fastify/jwt` remembers none unless it is told to, and then a thousand. */
  readonly cache: boolean
  readonly pemFiles: Readonly<Record<string, string>>
}

interface Claims {
  readonly sub: string
  readonly org_id?: string
  readonly azp?: string
  readonly scope?: string
}

const { port, upstream, issuer, audience, logFile, cache, pemFiles } = JSON.parse(process.argv[2]!) as FastifyOptions
const keys = new Map(Object.entries(pemFiles).map(([kid, file]) => [kid, readFileSync(file, 'utf8')]))

// One line per request, written in batches, like the others' logs.
const access = pino(pino.destination({ dest: logFile, sync: false, minLength: 8 * 1024 }))
const app = fastify({ logger: false })

await app.register(fastifyJwt, {
  secret: async (_request: FastifyRequest, token: unknown) => {
    const { kid } = (token as { header: { kid: string } }).header
    const key = keys.get(kid)
    if (key === undefined) throw new Error('unknown key')
    return key
  },
  decode: { complete: true },
  verify: { algorithms: ['RS256'], allowedIss: issuer, allowedAud: audience, cache },
})
await app.register(rateLimit, { global: false, max: 1_000_000, timeWindow: 1_000 })
await app.register(replyFrom, { base: `http://127.0.0.1:${upstream}`, undici: { connections: 256, pipelining: 1 } })

app.setErrorHandler((error: { statusCode?: number }, _request, reply) => {
  const status = error.statusCode === 403 || error.statusCode === 429 ? error.statusCode : 401
  return reply.code(status).send({ message: status === 403 ? 'Forbidden' : 'Unauthorized' })
})
app.setNotFoundHandler((_request, reply) => reply.code(404).send({ message: 'Not Found' }))
app.addHook('onResponse', async (request, reply) => {
  const { id, ip, routeOptions } = request
  access.info({ id, ip, route: routeOptions.url, status: reply.statusCode }, 'access')
})

const mayCall =
  (scopes: readonly string[]) =>
  async (request: FastifyRequest): Promise<void> => {
    const { scope = '' } = await request.jwtVerify<Claims>()
    const words = scope.split(' ')
    if (scopes.length > 0 && !scopes.some((each) => words.includes(each)))
      throw Object.assign(new Error('scope'), { statusCode: 403 })
  }
const perTenant = app.rateLimit({
  max: 1_000_000,
  timeWindow: 1_000,
  keyGenerator: (request) => (request.user as Claims).org_id ?? 'none',
})
const claims = (request: FastifyRequest): Claims => request.user as Claims

for (const [url, scopes] of [
  ['/todos', ['read:todos', 'admin:todos']],
  ['/pets/:id', []],
] as const) {
  app.get(url, { onRequest: [mayCall(scopes), perTenant] }, (request, reply) =>
    reply.from(request.url, {
      rewriteRequestHeaders: (_request, headers) => ({
        ...headers,
        'x-org-id': claims(request).org_id,
        'x-user-id': claims(request).sub,
        'x-client-id': claims(request).azp,
      }),
    }),
  )
}
await app.listen({ port, host: '127.0.0.1' })
process.send?.('ready')
