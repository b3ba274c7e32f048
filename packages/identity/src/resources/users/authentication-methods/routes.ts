/**
 * What proves a user besides the password: second factors and passkeys. Administrators give, rename and take them away;
 * what is given counts at once. Taking one away lets every browser ask again.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import { asker, type TenantLog } from '../../../logs/tenant-log.ts'
import { unsupported } from '../../inert.ts'
import { refusals } from '../../management-api.ts'
import { answer, OffsetQuery, PageAnswer, pageOf } from '../../paging.ts'
import { UserId } from '../schema.ts'
import * as users from '../store.ts'
import { givenMethod, MOST, newRecoveryCode, problems, shownEnrollment, shownMethod } from './rules.ts'
import { CreateMethod, Enrollment, Method, MethodId, ProviderPath, ReplaceMethods, UpdateMethod } from './schema.ts'
import * as store from './store.ts'

const tags = ['users']

interface Dependencies {
  database: Database
  secrets: Secrets
  clock: Clock
  tenantLog: TenantLog
}

export const userFactors: Slice<Dependencies> =
  ({ database, secrets, clock, tenantLog }) =>
  async (app) => {
    /** In a scope in which the user exists. @throws Problem `inexistent_user` */
    const withUser = <T>(request: FastifyRequest & { params: { id: string } }, work: (tx: Tx) => Promise<T>) =>
      database.inEnvironment(request.environment.id, async (tx) => {
        await users.get(tx, request.params.id)
        return work(tx)
      })

    const logRemoval = (request: FastifyRequest, removed: store.Removed[]) => {
      for (const { user_id, type } of removed) {
        tenantLog.add(request.environment.id, { type: 'gd_unenroll', ...asker(request), user_id, details: { type } })
      }
    }

    app.get(
      '/users/:id/authentication-methods',
      {
        config: { scope: 'read:authentication_methods' },
        schema: {
          operationId: 'listAuthenticationMethods',
          summary: 'List the authentication methods of a user',
          tags,
          params: UserId,
          querystring: Exact(OffsetQuery),
          response: { 200: PageAnswer('authenticators', Method), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const found = await withUser(request, (tx) => store.page(tx, request.params.id, page.limit, page.offset))
        return answer('authenticators', page, found, ({ id }) => id, shownMethod)
      },
    )

    app.post(
      '/users/:id/authentication-methods',
      {
        config: { scope: 'create:authentication_methods' },
        schema: {
          operationId: 'createAuthenticationMethod',
          summary: 'Give a user a second factor: an authenticator app, a number or an address',
          tags,
          params: UserId,
          body: CreateMethod,
          response: { 201: Method, ...refusals(400, 404, 409, 501) },
        },
      },
      async (request, reply) => {
        const { environment, params, body } = request
        const { row, totp_secret } = givenMethod(secrets, environment.id, params.id, body, clock.now())
        const kept = await withUser(request, async (tx) => {
          await store.lockPerson(tx, params.id)
          if ((await store.list(tx, params.id)).length >= MOST) throw problems.too_many_authentication_methods()
          await store.insert(tx, environment.id, [row])
          return store.find(tx, params.id, row.id)
        })
        return reply.code(201).send({ ...shownMethod(kept!), ...(totp_secret ? { totp_secret } : {}) })
      },
    )

    app.put(
      '/users/:id/authentication-methods',
      {
        config: { scope: 'update:authentication_methods' },
        schema: {
          operationId: 'replaceAuthenticationMethods',
          summary: 'Replace the second factors of a user; passkeys stay',
          tags,
          params: UserId,
          body: ReplaceMethods,
          response: { 200: Type.Array(Method), ...refusals(400, 404, 501) },
        },
      },
      async (request) => {
        const { environment, params, body } = request
        const now = clock.now()
        const given = body.map((asked) => givenMethod(secrets, environment.id, params.id, asked, now))
        const { removed, kept } = await withUser(request, async (tx) => {
          await store.lockPerson(tx, params.id)
          const gone = await store.removeFactors(tx, params.id)
          await store.insert(
            tx,
            environment.id,
            given.map(({ row }) => row),
          )
          return { removed: gone, kept: await store.list(tx, params.id) }
        })
        logRemoval(request, removed)
        return given.map(({ row, totp_secret }) => ({
          ...shownMethod(kept.find(({ id }) => id === row.id)!),
          ...(totp_secret ? { totp_secret } : {}),
        }))
      },
    )

    app.delete(
      '/users/:id/authentication-methods',
      {
        config: { scope: 'delete:authentication_methods' },
        schema: {
          operationId: 'deleteAuthenticationMethods',
          summary: 'Take away all authentication methods of a user, passkeys included',
          tags,
          params: UserId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        logRemoval(request, await withUser(request, (tx) => store.removeAll(tx, request.params.id)))
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/users/:id/authentication-methods/:method',
      {
        config: { scope: 'read:authentication_methods' },
        schema: {
          operationId: 'getAuthenticationMethod',
          summary: 'Get an authentication method of a user',
          tags,
          params: MethodId,
          response: { 200: Method, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { id, method } = request.params
        const row = await withUser(request, (tx) => store.find(tx, id, method))
        if (!row) throw problems.inexistent_authentication_method()
        return shownMethod(row)
      },
    )

    app.patch(
      '/users/:id/authentication-methods/:method',
      {
        config: { scope: 'update:authentication_methods' },
        schema: {
          operationId: 'updateAuthenticationMethod',
          summary: 'Rename an authentication method of a user',
          tags,
          params: MethodId,
          body: UpdateMethod,
          response: { 200: Method, ...refusals(400, 404, 501) },
        },
      },
      async (request) => {
        const { id, method } = request.params
        const { name, preferred_authentication_method: preferred } = request.body
        if (preferred === 'voice') throw unsupported('preferred_authentication_method')
        const row = await withUser(request, async (tx) =>
          name === undefined ? store.find(tx, id, method) : (await store.rename(tx, id, method, name))[0],
        )
        if (!row) throw problems.inexistent_authentication_method()
        return shownMethod(row)
      },
    )

    app.delete(
      '/users/:id/authentication-methods/:method',
      {
        config: { scope: 'delete:authentication_methods' },
        schema: {
          operationId: 'deleteAuthenticationMethod',
          summary: 'Take away an authentication method of a user',
          tags,
          params: MethodId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { id, method } = request.params
        const removed = await withUser(request, (tx) => store.remove(tx, id, method))
        if (removed.length === 0) throw problems.inexistent_authentication_method()
        logRemoval(request, removed)
        return reply.code(204).send(null)
      },
    )

    app.delete(
      '/users/:id/authenticators',
      {
        config: { scope: 'delete:users' },
        schema: {
          operationId: 'deleteAuthenticators',
          summary: 'Take away all second factors of a user; passkeys stay',
          tags,
          params: UserId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        logRemoval(request, await withUser(request, (tx) => store.removeFactors(tx, request.params.id)))
        return reply.code(204).send(null)
      },
    )

    app.delete(
      '/users/:id/multifactor/:provider',
      {
        config: { scope: 'update:users' },
        schema: {
          operationId: 'deleteMultifactorProvider',
          summary: 'Take away the authenticator apps of a user; nobody has Duo',
          tags,
          params: ProviderPath,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { id, provider } = request.params
        const types: store.MethodType[] = provider === 'duo' ? [] : ['totp']
        logRemoval(request, await withUser(request, (tx) => store.removeFactors(tx, id, types)))
        return reply.code(204).send(null)
      },
    )

    app.post(
      '/users/:id/recovery-code-regeneration',
      {
        config: { scope: 'update:users' },
        schema: {
          operationId: 'regenerateRecoveryCode',
          summary: 'Make a new recovery code for a user; the one before counts no more',
          tags,
          params: UserId,
          response: { 201: Type.Object({ recovery_code: Type.String() }), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const now = clock.now()
        const { row, code } = newRecoveryCode(request.params.id, now)
        await withUser(request, (tx) =>
          store.replaceRecoveryCode(tx, request.environment.id, { ...row, confirmed: true, enrolled_at: now }),
        )
        return reply.code(201).send({ recovery_code: code })
      },
    )

    app.post(
      '/users/:id/multifactor/actions/invalidate-remember-browser',
      {
        config: { scope: 'update:users' },
        schema: {
          operationId: 'forgetRememberedBrowsers',
          summary: 'Ask for a second factor again in every browser of a user',
          tags,
          params: UserId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        await withUser(request, (tx) => store.forgetBrowsers(tx, request.params.id))
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/users/:id/enrollments',
      {
        config: { scope: 'read:users' },
        schema: {
          operationId: 'listEnrollments',
          summary: 'List the confirmed enrollments of a user',
          tags,
          params: UserId,
          response: { 200: Type.Array(Enrollment), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const rows = await withUser(request, (tx) => store.listConfirmed(tx, request.params.id))
        return rows.filter(({ type }) => type !== 'passkey').map(shownEnrollment)
      },
    )
  }
