/**
 * Serves the web app on every tenant's host (`acme.localhost:3000`) and passes `/api/*` on to the gateway, so that a
 * tenant's page calls its own origin: Amazon API Gateway knows no wildcard for sub-domains in CORS.
 */
import { readFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'

export interface WebOptions {
  /** The built app. */
  root: string
  gatewayUrl: string
  /** The issuer as the browser reaches it, such as `http://localhost:4000`. */
  domain: string
  spaClientId: string
  apiAudience: string
  /** The plans that can be chosen at registration. */
  plans: readonly string[]
  /** Hosts that show the app, without port; a tenant's slug may stand before each: `acme.localhost`. */
  hosts?: readonly string[]
  /** A page that shows the mail which was sent; for development only. */
  mailboxUrl?: string
}

/** Headers that belong to one connection (RFC 9110 §7.6.1) and are not passed on. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
const MAX_BODY = 1024 * 1024

export async function createWeb(options: WebOptions): Promise<FastifyInstance> {
  const hosts = options.hosts ?? ['localhost', '127.0.0.1']
  const issuer = new URL(options.domain).origin
  const index = await readFile(join(options.root, 'index.html'), 'utf8').catch(() => {
    throw new Error(`${options.root} holds no built web app. Build it: npm run build -w examples/saas/web`)
  })
  const app = Fastify({ logger: false, bodyLimit: MAX_BODY })

  app.addHook('onRequest', async (request, reply) => {
    // A host that is not ours is somebody's DNS pointed here (rebinding), and gets nothing.
    const host = request.hostname.toLowerCase()
    if (!hosts.some((own) => host === own || host.endsWith(`.${own}`))) {
      return reply.code(421).type('text/plain').send('This host is not served here.')
    }
    reply.headers({
      'content-security-policy': [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        `connect-src 'self' ${issuer}`,
        // Silent sign-in happens in a hidden frame of the issuer.
        `frame-src ${issuer}`,
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ].join('; '),
      'x-content-type-options': 'nosniff',
      // An invitation's ticket is in the address; it must not travel to anybody else.
      'referrer-policy': 'no-referrer',
      'permissions-policy': 'camera=(), geolocation=(), microphone=()',
      'cross-origin-opener-policy': 'same-origin-allow-popups',
    })
  })

  app.get('/config.json', (_request, reply) =>
    reply.header('cache-control', 'no-store').send({
      domain: options.domain.replace(/\/$/, ''),
      clientId: options.spaClientId,
      audience: options.apiAudience,
      hosts,
      plans: options.plans,
      ...(options.mailboxUrl ? { mailboxUrl: options.mailboxUrl } : {}),
    }),
  )

  // Bodies go through unread, whatever their type.
  await app.register(async (proxy) => {
    proxy.removeAllContentTypeParsers()
    proxy.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    proxy.all('/api/*', (request, reply) => pass(request, reply, options.gatewayUrl))
  })

  await app.register(fastifyStatic, {
    root: options.root,
    index: false,
    wildcard: true,
    setHeaders(reply, path) {
      // Built files carry a hash in their name, everything else may change with the next build.
      const hashed = /-[A-Z0-9]{8}\.(?:js|css)$/.test(path)
      reply.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
  const page = (_request: FastifyRequest, reply: FastifyReply) =>
    reply.header('cache-control', 'no-cache').type('text/html; charset=utf-8').send(index)
  app.get('/', page)
  // Every address that is no file is a place in the app; a missing file stays missing.
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? ''
    const wantsPage = request.method === 'GET' && !/\.[a-z0-9]{1,5}$/i.test(path)
    return wantsPage ? page(request, reply) : reply.code(404).type('text/plain').send('Not found.')
  })
  return app
}

function pass(request: FastifyRequest, reply: FastifyReply, gatewayUrl: string): FastifyReply {
  const target = new URL(gatewayUrl)
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    // Cookies of this origin are no business of the API, which knows bearer tokens only.
    if (value !== undefined && !HOP_BY_HOP.has(name) && name !== 'cookie' && name !== 'host') headers[name] = value
  }
  headers.host = target.host
  // Replaced, not appended: what the browser's side claims about its own address is not evidence.
  headers['x-forwarded-for'] = request.ip
  reply.hijack()
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest
  const path = request.url.replace(/^\/api/, '')
  const onward = send(
    {
      protocol: target.protocol,
      hostname: target.hostname,
      port: target.port,
      method: request.method,
      path,
      headers,
      timeout: 30_000,
    },
    (answer: IncomingMessage) => {
      const kept = Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name))
      reply.raw.writeHead(answer.statusCode ?? 502, Object.fromEntries(kept) as Record<string, string>)
      answer.pipe(reply.raw)
    },
  )
  onward.on('timeout', () => onward.destroy(new Error('timeout')))
  onward.on('error', () => {
    if (reply.raw.headersSent) return void reply.raw.destroy()
    reply.raw.writeHead(502, { 'content-type': 'application/json' })
    reply.raw.end(JSON.stringify({ code: 'gateway_unavailable', message: 'Stockroom is not reachable. Try again.' }))
  })
  reply.raw.on('close', () => onward.destroy())
  request.raw.pipe(onward)
  return reply
}
