/** Who sends an environment's text messages; how a message reaches it is in `delivery/sms/`. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import Type from 'typebox'
import type { Outbox } from '../../../delivery/outbox.ts'
import { friendlyName } from '../../../environments/environment.ts'
import { unsupported } from '../../inert.ts'
import { refusals } from '../../management-api.ts'
import { phoneNumber } from '../../phone-number.ts'
import { FieldsQuery, pick } from '../../wire.ts'
import { changed, shown } from './rules.ts'
import { CreatePhoneProvider, PhoneProvider, ProviderId, TryProvider, UpdatePhoneProvider } from './schema.ts'
import * as store from './store.ts'

const tags = ['branding']

export interface PhoneProviderDependencies {
  database: Database
  secrets: Secrets
  clock: Clock
  outbox: Outbox
}

export const phoneProviders: Slice<PhoneProviderDependencies> =
  ({ database, secrets, clock, outbox }) =>
  async (app) => {
    app.get(
      '/branding/phone/providers',
      {
        config: { scope: 'read:phone_providers' },
        schema: {
          operationId: 'listPhoneProviders',
          summary: 'List the phone provider, if there is one',
          tags,
          querystring: Exact({ disabled: Type.Optional(Type.Boolean()) }),
          response: { 200: Type.Object({ providers: Type.Array(PhoneProvider) }), ...refusals(400) },
        },
      },
      async ({ environment, query }) => {
        const rows = await database.inEnvironment(environment.id, (tx) => store.list(tx, query.disabled))
        return { providers: rows.map((row) => shown(row, environment.name)) }
      },
    )

    app.post(
      '/branding/phone/providers',
      {
        config: { scope: 'create:phone_providers' },
        schema: {
          operationId: 'createPhoneProvider',
          summary: 'Set who sends text messages: Twilio, or a webhook',
          tags,
          body: CreatePhoneProvider,
          response: { 201: PhoneProvider, ...refusals(400, 409, 501) },
        },
      },
      async ({ environment, body }, reply) => {
        const row = changed(secrets, environment.id, undefined, body, clock.now())
        await database.inEnvironment(environment.id, (tx) => store.insert(tx, environment.id, row))
        return reply.code(201).send(shown(row, environment.name))
      },
    )

    app.get(
      '/branding/phone/providers/:id',
      {
        config: { scope: 'read:phone_providers' },
        schema: {
          operationId: 'getPhoneProvider',
          summary: 'Get the phone provider, without its credentials',
          tags,
          params: ProviderId,
          querystring: Exact(FieldsQuery),
          response: { 200: Type.Partial(PhoneProvider), ...refusals(400, 404) },
        },
      },
      async ({ environment, params, query }) => {
        const row = await database.inEnvironment(environment.id, (tx) => store.get(tx, params.id))
        return pick(shown(row, environment.name), query)
      },
    )

    app.patch(
      '/branding/phone/providers/:id',
      {
        config: { scope: 'update:phone_providers' },
        schema: {
          operationId: 'updatePhoneProvider',
          summary: 'Change the phone provider; another account or address needs its credentials again',
          tags,
          params: ProviderId,
          body: UpdatePhoneProvider,
          response: { 200: PhoneProvider, ...refusals(400, 404, 501) },
        },
      },
      async ({ environment, params, body }) =>
        database.inEnvironment(environment.id, async (tx) => {
          const next = changed(secrets, environment.id, await store.lock(tx, params.id), body, clock.now())
          await store.save(tx, next)
          return shown(next, environment.name)
        }),
    )

    app.delete(
      '/branding/phone/providers/:id',
      {
        config: { scope: 'delete:phone_providers' },
        schema: {
          operationId: 'deletePhoneProvider',
          summary: 'Delete the phone provider; nothing sends text messages then',
          tags,
          params: ProviderId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async ({ environment, params }, reply) => {
        await database.inEnvironment(environment.id, (tx) => store.remove(tx, params.id))
        return reply.code(204).send(null)
      },
    )

    app.post(
      '/branding/phone/providers/:id/try',
      {
        config: { scope: 'create:phone_providers' },
        schema: {
          operationId: 'tryPhoneProvider',
          summary: 'Send a test message by the phone provider',
          tags,
          params: ProviderId,
          body: TryProvider,
          response: {
            202: Type.Object({ code: Type.Integer(), message: Type.String() }),
            ...refusals(400, 404, 501),
          },
        },
      },
      async ({ environment, params, body }, reply) => {
        if (body.delivery_method === 'voice') throw unsupported('delivery_method: voice')
        const recipient = phoneNumber(body.to)
        if (!recipient) {
          const reason = "Payload validation error: 'to' is not a phone number such as +4366012345678."
          throw bodyProblems.invalid_body({ facts: { reason } })
        }
        const text = `This is a test message of ${friendlyName(environment)}.`
        await database.inEnvironment(environment.id, async (tx) => {
          await store.get(tx, params.id)
          await outbox.addSms(tx, environment.id, { recipient, template: 'try_phone_provider', text })
        })
        return reply.code(202).send({ code: 202, message: 'The message is on its way.' })
      },
    )
  }
