/**
 * The issuer as Stockroom's tests see it: an external party. It answers the calls of the Management API that Stockroom
 * makes, signs tokens, and can fail before or after it did what was asked.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const AUDIENCE = 'https://api.stockroom.example'
export const TENANT_CLAIM = 'https://stockroom.example/tenantId'
export const CONNECTION = { id: 'con_1234567890abcdef', name: 'Username-Password-Authentication' }
export const ADMIN_ROLE = 'rol_1234567890abcdef'
const MEMBER_ROLE = 'rol_234567890abcdefg'

interface Organization {
  id: string
  name: string
  display_name?: string
  metadata?: Record<string, string>
  connections: { connection_id: string; assign_membership_on_login: boolean }[]
  members: Map<string, Set<string>>
  invitations: { id: string; inviter: object; invitee: { email: string }; client_id: string; roles: string[] }[]
}

interface User {
  user_id: string
  email: string
  email_verified: boolean
  identities: { connection: string }[]
}

/** `before`: nothing happens and 500 is answered. `after`: it happens, and the connection breaks before the answer. */
export interface Failure {
  method: string
  path: RegExp
  mode: 'before' | 'after'
}

type Answer = [status: number, body?: unknown]

export async function startManagement() {
  const organizations = new Map<string, Organization>()
  const users: User[] = []
  const failures: Failure[] = []
  const calls: string[] = []
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const conflict: Answer = [409, { statusCode: 409, error: 'Conflict', message: 'It exists already.' }]
  const missing: Answer = [404, { statusCode: 404, error: 'Not Found', message: 'It does not exist.' }]

  const shown = ({ id, name, display_name, metadata }: Organization) => ({ id, name, display_name, metadata })

  function answer(method: string, path: string, query: URLSearchParams, body: Record<string, unknown>): Answer {
    const [, resource, id = '', part, member] = path.split('/')
    if (resource === 'roles')
      return [
        200,
        {
          roles: [
            { id: ADMIN_ROLE, name: 'admin' },
            { id: MEMBER_ROLE, name: 'member' },
          ],
          start: 0,
          limit: 50,
          total: 2,
        },
      ]
    if (resource === 'users-by-email') return [200, users.filter(({ email }) => email === query.get('email'))]
    if (resource === 'users' && part === 'organizations') {
      const list = [...organizations.values()].filter(({ members }) => members.has(decodeURIComponent(id))).map(shown)
      return [200, { organizations: list, start: 0, limit: 50, total: list.length }]
    }
    if (method === 'POST' && id === '') {
      if ([...organizations.values()].some(({ name }) => name === body.name)) return conflict
      const created = { ...body, id: `org_${randomBytes(8).toString('hex')}` } as unknown as Organization
      organizations.set(created.id, { ...created, connections: [], members: new Map(), invitations: [] })
      return [201, created]
    }
    if (id === 'name') {
      const found = [...organizations.values()].find(({ name }) => name === part)
      return found ? [200, shown(found)] : missing
    }
    const organization = organizations.get(id)
    if (!organization) return missing
    if (method === 'DELETE') return organizations.delete(id) ? [204] : missing
    if (method === 'PATCH') return [200, shown(Object.assign(organization, body))]
    if (part === 'members' && method === 'GET') {
      return [200, { members: [...organization.members.keys()].map((user_id) => ({ user_id })) }]
    }
    if (part === 'enabled_connections') {
      if (organization.connections.some(({ connection_id }) => connection_id === body.connection_id)) return conflict
      organization.connections.push(body as unknown as Organization['connections'][number])
      return [201, body]
    }
    if (part === 'members' && member) {
      for (const role of body.roles as string[]) organization.members.get(decodeURIComponent(member))?.add(role)
      return [204]
    }
    if (part === 'members') {
      for (const userId of body.members as string[]) {
        if (!organization.members.has(userId)) organization.members.set(userId, new Set())
      }
      return [204]
    }
    if (part === 'invitations' && method === 'GET') {
      return [
        200,
        { invitations: organization.invitations, start: 0, limit: 50, total: organization.invitations.length },
      ]
    }
    if (part === 'invitations') {
      const invitation = {
        ...body,
        id: `uinv_${randomBytes(8).toString('hex')}`,
      } as Organization['invitations'][number]
      organization.invitations.push(invitation)
      return [201, invitation]
    }
    return missing
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://issuer')
    const send = ([status, body]: Answer) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(body === undefined ? undefined : JSON.stringify(body))
    }
    if (url.pathname === '/.well-known/openid-configuration') {
      return send([200, { issuer, jwks_uri: `${issuer}jwks.json` }])
    }
    if (url.pathname === '/jwks.json') {
      return send([200, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'key', alg: 'RS256', use: 'sig' }] }])
    }
    const text = await bodyOf(request)
    if (url.pathname === '/oauth/token') return send([200, { access_token: 'management-token', expires_in: 3600 }])
    if (request.headers.authorization !== 'Bearer management-token') return send([401, { message: 'Unauthorized' }])
    const path = url.pathname.replace('/api/v2', '')
    calls.push(`${request.method} ${path.replace(/(org|uinv)_\w+/g, '$1')}`)
    const index = failures.findIndex((failure) => failure.method === request.method && failure.path.test(path))
    const [failure] = index === -1 ? [] : failures.splice(index, 1)
    if (failure?.mode === 'before') return send([500, { message: 'Failed before' }])
    const result = answer(request.method ?? 'GET', path, url.searchParams, text ? JSON.parse(text) : {})
    return failure?.mode === 'after' ? void destroy(response) : send(result)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuer = `${base}/`

  return {
    issuer,
    organizations,
    users,
    failures,
    calls,
    addUser(email: string, options: Partial<User> = {}) {
      const user = {
        user_id: `auth0|${users.length + 1}`,
        email,
        email_verified: true,
        identities: [{ connection: CONNECTION.name }],
        ...options,
      }
      users.push(user)
      return user
    },
    /** The SDK knows https only, so its requests to the made-up domain are led here. */
    options: {
      domain: 'issuer.test',
      clientId: 'management-client',
      clientSecret: 'secret',
      audience: 'https://issuer.test/api/v2/',
      maxRetries: 0,
      fetch: ((input: string | URL, init?: RequestInit) =>
        fetch(String(input).replace('https://issuer.test', base), init)) as typeof fetch,
    },
    token(tenantId: unknown, scope: string, claims: Record<string, unknown> = {}): string {
      const now = Math.floor(Date.now() / 1000)
      const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const payload = {
        iss: issuer,
        sub: 'auth0|maria',
        aud: [AUDIENCE],
        iat: now,
        exp: now + 600,
        scope,
        [TENANT_CLAIM]: tenantId,
        ...claims,
      }
      const input = `${encode({ alg: 'RS256', typ: 'JWT', kid: 'key' })}.${encode(payload)}`
      return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export type TestManagement = Awaited<ReturnType<typeof startManagement>>

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

const destroy = (response: ServerResponse) => response.socket?.destroy()
