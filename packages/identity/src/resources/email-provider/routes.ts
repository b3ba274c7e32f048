/**
 * The mail server of an environment. Mail of environments without one leaves by the installation's; how both are reached
 * is in `delivery/mail-server.ts`.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import Type from 'typebox'
import { refusals } from '../management-api.ts'
import { FieldsQuery, pick } from '../wire.ts'
import { changed, shown } from './rules.ts'
import { CreateProvider, Provider, UpdateProvider } from './schema.ts'
import * as store from './store.ts'

const tags = ['emails']

export const emailProvider: Slice<{ database: Database; secrets: Secrets; clock: Clock }> =
  ({ database, secrets, clock }) =>
  async (app) => {
    app.get(
      '/emails/provider',
      {
        config: { scope: 'read:email_provider' },
        schema: {
          operationId: 'getEmailProvider',
          summary: 'Get the mail server, without its password',
          tags,
          querystring: Exact(FieldsQuery),
          response: { 200: Provider, ...refusals(400, 404) },
        },
      },
      async (request) => pick(shown(await database.inEnvironment(request.environment.id, store.get)), request.query),
    )

    app.post(
      '/emails/provider',
      {
        config: { scope: 'create:email_provider' },
        schema: {
          operationId: 'createEmailProvider',
          summary: 'Set the mail server',
          tags,
          body: CreateProvider,
          response: { 201: Provider, ...refusals(400, 409, 501) },
        },
      },
      async (request, reply) => {
        const { environment, body } = request
        const row = changed(secrets, environment.id, undefined, body, clock.now())
        await database.inEnvironment(environment.id, (tx) => store.insert(tx, environment.id, row))
        return reply.code(201).send(shown(row))
      },
    )

    app.patch(
      '/emails/provider',
      {
        config: { scope: 'update:email_provider' },
        schema: {
          operationId: 'updateEmailProvider',
          summary: 'Change the mail server; another host, port or user needs the password again',
          tags,
          body: UpdateProvider,
          response: { 200: Provider, ...refusals(400, 404, 501) },
        },
      },
      async (request) => {
        const { environment, body } = request
        return database.inEnvironment(environment.id, async (tx) => {
          const next = changed(secrets, environment.id, await store.lock(tx), body, clock.now())
          await store.save(tx, next)
          return shown(next)
        })
      },
    )

    app.delete(
      '/emails/provider',
      {
        config: { scope: 'delete:email_provider' },
        schema: {
          operationId: 'deleteEmailProvider',
          summary: 'Let mail leave by the server of the installation again',
          tags,
          response: { 204: Type.Null(), ...refusals() },
        },
      },
      async (request, reply) => {
        await database.inEnvironment(request.environment.id, store.remove)
        return reply.code(204).send(null)
      },
    )
  }
