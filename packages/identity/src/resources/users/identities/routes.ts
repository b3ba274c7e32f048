/** Identities of a user: linking makes another user a way in for this one, unlinking makes them a user again. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { Keyrings } from '../../../keys/keyring.ts'
import * as clients from '../../clients/store.ts'
import { refusals } from '../../management-api.ts'
import { Identity, UserId } from '../schema.ts'
import { claimedClient, namedUser, noIdToken, subjectOf } from './rules.ts'
import { IdentityPath, LinkIdentity } from './schema.ts'
import * as store from './store.ts'

const tags = ['users']

export const userIdentities: Slice<{ database: Database; keyrings: Keyrings; clock: Clock }> =
  ({ database, keyrings, clock }) =>
  async (app) => {
    app.post(
      '/users/:id/identities',
      {
        config: { scope: 'update:users' },
        schema: {
          operationId: 'linkUserIdentity',
          summary: 'Link another user to a user; the other one becomes an identity of theirs',
          tags,
          params: UserId,
          body: LinkIdentity,
          response: { 201: Type.Array(Identity), ...refusals(400, 404, 409) },
        },
      },
      async (request, reply) => {
        const { environment, params, body } = request
        const secondary = namedUser(body) ?? {
          userId: await tokenOwner(request, body.link_with!),
          connectionId: undefined,
        }
        const identities = await database.inEnvironment(environment.id, async (tx) => {
          await store.link(tx, environment.id, params.id, secondary, clock.now())
          return store.list(tx, params.id)
        })
        return reply.code(201).send(identities)
      },
    )

    app.delete(
      '/users/:id/identities/:provider/:user_id',
      {
        config: { scope: 'update:users' },
        schema: {
          operationId: 'unlinkUserIdentity',
          summary: 'Unlink an identity; it becomes a user of its own with empty metadata',
          tags,
          params: IdentityPath,
          response: { 200: Type.Array(Identity), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { environment, params } = request
        const { provider, user_id: identityId } = params
        return database.inEnvironment(environment.id, async (tx) => {
          await store.unlink(tx, environment.id, params.id, { provider, identityId }, clock.now())
          return store.list(tx, params.id)
        })
      },
    )

    async function tokenOwner({ environment }: FastifyRequest, token: string): Promise<string> {
      const clientId = claimedClient(token)
      const client = await database.inEnvironment(environment.id, (tx) => clients.find(tx, clientId))
      if (!client) throw noIdToken()
      return subjectOf(await keyrings(environment.id), environment, token, clientId, clock.now())
    }
  }
