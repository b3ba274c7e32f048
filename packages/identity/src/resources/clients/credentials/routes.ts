/** Public keys with which a client proves who it is (RFC 7523), instead of sending a secret. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { problems as clientProblems } from '../rules.ts'
import * as clients from '../store.ts'
import { credential, futureDate, problems, shown } from './rules.ts'
import { CreateCredential, Credential, CredentialId, OwnerId, UpdateCredential } from './schema.ts'
import * as store from './store.ts'

const tags = ['clients']

export const clientCredentials: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.get(
      '/clients/:client_id/credentials',
      {
        config: { scope: 'read:client_credentials' },
        schema: {
          operationId: 'listClientCredentials',
          summary: 'List the public keys of a client',
          tags,
          params: OwnerId,
          response: { 200: Type.Array(Credential), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const rows = await database.inEnvironment(request.environment.id, async (tx) => {
          await clients.get(tx, request.params.client_id)
          return store.list(tx, request.params.client_id)
        })
        return rows.map(shown)
      },
    )

    app.post(
      '/clients/:client_id/credentials',
      {
        config: { scope: 'create:client_credentials' },
        schema: {
          operationId: 'createClientCredential',
          summary: 'Give a client a public key',
          tags,
          params: OwnerId,
          body: CreateCredential,
          response: { 201: Credential, ...refusals(400, 404, 409, 501) },
        },
      },
      async (request, reply) => {
        const { environment, params } = request
        const row = credential(request.body, clock.now())
        await database.inEnvironment(environment.id, async (tx) => {
          const client = await clients.lock(tx, params.client_id)
          if (client.global) throw clientProblems.global_client()
          await store.insert(tx, environment.id, client.client_id, row)
        })
        return reply.code(201).send(shown(row))
      },
    )

    app.get(
      '/clients/:client_id/credentials/:credential_id',
      {
        config: { scope: 'read:client_credentials' },
        schema: {
          operationId: 'getClientCredential',
          summary: 'Get a public key of a client',
          tags,
          params: CredentialId,
          response: { 200: Credential, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { client_id, credential_id } = request.params
        return shown(
          await database.inEnvironment(request.environment.id, (tx) => store.get(tx, client_id, credential_id)),
        )
      },
    )

    app.patch(
      '/clients/:client_id/credentials/:credential_id',
      {
        config: { scope: 'update:client_credentials' },
        schema: {
          operationId: 'updateClientCredential',
          summary: 'Change when a public key of a client expires',
          tags,
          params: CredentialId,
          body: UpdateCredential,
          response: { 200: Credential, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { client_id, credential_id } = request.params
        const { expires_at } = request.body
        const now = clock.now()
        return shown(
          await database.inEnvironment(request.environment.id, (tx) =>
            expires_at === undefined
              ? store.get(tx, client_id, credential_id)
              : store.expire(tx, client_id, credential_id, {
                  expires_at: expires_at === null ? null : futureDate(expires_at, now),
                  updated_at: now,
                }),
          ),
        )
      },
    )

    app.delete(
      '/clients/:client_id/credentials/:credential_id',
      {
        config: { scope: 'delete:client_credentials' },
        schema: {
          operationId: 'deleteClientCredential',
          summary: 'Take a public key from a client that no longer uses it',
          tags,
          params: CredentialId,
          response: { 204: Type.Null(), ...refusals(400, 404, 409) },
        },
      },
      async (request, reply) => {
        const { client_id, credential_id } = request.params
        const gone = await database.inEnvironment(request.environment.id, async (tx) => {
          const client = await clients.lock(tx, client_id)
          const used = [
            ...(client.client_authentication_methods?.private_key_jwt.credentials ?? []),
            ...(client.signed_request_object?.credentials ?? []),
          ]
          if (used.some(({ id }) => id === credential_id)) throw problems.credential_in_use()
          return store.remove(tx, client_id, credential_id)
        })
        if (!gone) throw problems.inexistent_credential()
        return reply.code(204).send(null)
      },
    )
  }
