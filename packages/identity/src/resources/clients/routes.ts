/** Clients: the applications that may ask for tokens, and what each may ask for. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import { newId } from '@tenantry/kernel/id.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import { problems as managementProblems, refusals } from '../management-api.ts'
import { answer, BothPagings, PageAnswer, pageOf } from '../paging.ts'
import { FieldsQuery, pick, present } from '../wire.ts'
import * as credentials from './credentials/store.ts'
import { searched } from './query.ts'
import { refuseManagementPolicies } from './refresh-tokens.ts'
import { changed, problems, registered, shown } from './rules.ts'
import { Client, ClientFilter, ClientId, CreateClient, UpdateClient } from './schema.ts'
import * as store from './store.ts'

const tags = ['clients']

export const clients: Slice<{ database: Database; secrets: Secrets; clock: Clock }> =
  ({ database, secrets, clock }) =>
  async (app) => {
    const rendering = ({ environment, callerScopes }: FastifyRequest, always = false) => {
      const secretOf = ({ client_id, client_secret }: store.ClientRow) =>
        client_secret && (always || callerScopes.has('read:client_keys'))
          ? store.openSecret(secrets, environment.id, client_id, client_secret)
          : undefined
      return (row: store.ClientRow) => ({
        ...present(shown(row, environment.name, secretOf(row))),
        // With keys it is null and not absent, which is how tools tell the two apart.
        token_endpoint_auth_method: row.token_endpoint_auth_method,
      })
    }

    app.get(
      '/clients',
      {
        config: { scope: ['read:clients', 'read:client_keys'] },
        schema: {
          operationId: 'listClients',
          summary: 'List clients',
          tags,
          querystring: Exact({ ...BothPagings, ...FieldsQuery, ...ClientFilter }),
          response: { 200: PageAnswer('clients', Client), ...refusals(400) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const { app_type, is_global, is_first_party, external_client_id } = request.query
        const filter = { is_global, is_first_party, app_types: app_type?.split(','), ...searched(request.query) }
        const found = await database.inEnvironment(request.environment.id, (tx) => store.list(tx, page, filter))
        const render = rendering(request)
        return answer(
          'clients',
          page,
          external_client_id === undefined ? found : { rows: [], total: 0 },
          (row) => row.client_id,
          (row) => pick(render(row), request.query),
        )
      },
    )

    app.post(
      '/clients',
      {
        config: { scope: 'create:clients' },
        schema: {
          operationId: 'createClient',
          summary: 'Create a client; the answer holds its secret',
          tags,
          body: CreateClient,
          response: { 201: Client, ...refusals(400, 409, 501) },
        },
      },
      async (request, reply) => {
        const { id } = request.environment
        const { row, credentials: keys } = registered(request.body, clock.now(), (clientId, secret) =>
          store.sealSecret(secrets, id, clientId, secret),
        )
        refuseManagementPolicies(request.environment, row)
        const unknown = row.signed_request_object?.credentials[0]
        if (unknown) throw problems.unknown_credential({ facts: { id: unknown.id } })
        await database.inEnvironment(id, async (tx) => {
          await store.insert(tx, id, row)
          for (const key of keys) await credentials.insert(tx, id, row.client_id, key)
        })
        return reply.code(201).send(rendering(request, true)(row))
      },
    )

    app.get(
      '/clients/:id',
      {
        config: { scope: ['read:clients', 'read:client_keys'] },
        schema: {
          operationId: 'getClient',
          summary: 'Get a client; its secret only with read:client_keys',
          tags,
          params: ClientId,
          querystring: Exact(FieldsQuery),
          response: { 200: Client, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const row = await database.inEnvironment(request.environment.id, (tx) => store.get(tx, request.params.id))
        return pick(rendering(request)(row), request.query)
      },
    )

    app.patch(
      '/clients/:id',
      {
        config: { scope: 'update:clients' },
        schema: {
          operationId: 'updateClient',
          summary: 'Change a client; another secret needs update:client_keys as well',
          tags,
          params: ClientId,
          body: UpdateClient,
          response: { 200: Client, ...refusals(400, 403, 404, 501) },
        },
      },
      async (request) => {
        const { id } = request.environment
        const { client_secret: secret, ...change } = request.body
        if (secret !== undefined && !request.callerScopes.has('update:client_keys')) {
          throw managementProblems.insufficient_scope({ facts: { scopes: 'update:client_keys' } })
        }
        const row = await database.inEnvironment(id, async (tx) => {
          const next = changed(await store.lock(tx, request.params.id), change, clock.now())
          if (secret !== undefined) next.client_secret = store.sealSecret(secrets, id, next.client_id, secret)
          refuseManagementPolicies(request.environment, next)
          const { client_authentication_methods: methods, signed_request_object: signed } = change
          if (methods || signed) {
            const named = [
              ...(next.client_authentication_methods?.private_key_jwt.credentials ?? []),
              ...(next.signed_request_object?.credentials ?? []),
            ]
            const own = await credentials.list(tx, next.client_id)
            const unknown = named.find(({ id }) => !own.some((key) => key.id === id))
            if (unknown) throw problems.unknown_credential({ facts: { id: unknown.id } })
          }
          await store.save(tx, next)
          return next
        })
        return rendering(request)(row)
      },
    )

    app.delete(
      '/clients/:id',
      {
        config: { scope: 'delete:clients' },
        schema: {
          operationId: 'deleteClient',
          summary: 'Delete a client with its grants and tokens',
          tags,
          params: ClientId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        await database.inEnvironment(request.environment.id, async (tx) => {
          const row = await store.lock(tx, request.params.id)
          if (row.global) throw problems.global_client()
          await store.remove(tx, row.client_id)
        })
        return reply.code(204).send(null)
      },
    )

    app.post(
      '/clients/:id/rotate-secret',
      {
        config: { scope: 'update:client_keys' },
        schema: {
          operationId: 'rotateClientSecret',
          summary: 'Give a client a new secret; the old one stops working at once',
          tags,
          params: ClientId,
          response: { 200: Client, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { id } = request.environment
        const row = await database.inEnvironment(id, async (tx) => {
          const current = await store.lock(tx, request.params.id)
          if (current.global) throw problems.global_client()
          const client_secret = store.sealSecret(secrets, id, current.client_id, newId.clientSecret())
          const next = { ...current, client_secret, updated_at: clock.now() }
          await store.save(tx, next)
          return next
        })
        return rendering(request, true)(row)
      },
    )
  }
