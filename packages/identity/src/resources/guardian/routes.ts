/** Guardian: which second factors an environment uses, when one is demanded, and how text messages are worded. */

import type { Database } from '@tenantry/kernel/database/database.ts'
import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { renderWritten } from '../../delivery/render.ts'
import { unsupported } from '../inert.ts'
import { refusals } from '../management-api.ts'
import {
  Factor,
  FactorPath,
  MessageTypes,
  NAMES,
  Policies,
  SERVED,
  SelectedProvider,
  SmsTemplates,
  Switch,
} from './schema.ts'
import { SMS_TEMPLATES } from './settings.ts'
import * as store from './store.ts'

const tags = ['guardian']

export const guardian: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/guardian/factors',
      {
        config: { scope: 'read:guardian_factors' },
        schema: {
          operationId: 'listFactors',
          summary: 'List the factors, and which are on',
          tags,
          response: { 200: Type.Array(Factor), ...refusals(400) },
        },
      },
      async (request) => {
        const { factors } = await database.inEnvironment(request.environment.id, store.get)
        return NAMES.map((name) => ({ name, enabled: factors.includes(name), trial_expired: false }))
      },
    )

    app.put(
      '/guardian/factors/:name',
      {
        config: { scope: 'update:guardian_factors' },
        schema: {
          operationId: 'setFactor',
          summary: 'Turn a factor on or off',
          tags,
          params: FactorPath,
          body: Switch,
          response: { 200: Type.Object({ enabled: Type.Boolean() }), ...refusals(400, 501) },
        },
      },
      async ({ environment, params, body }) => {
        const { name } = params
        if (body.enabled && !(SERVED as readonly string[]).includes(name)) throw unsupported(`guardian factor ${name}`)
        await database.once(environment.id, (tx) => store.turn(tx, environment.id, name, body.enabled))
        return { enabled: body.enabled }
      },
    )

    app.get(
      '/guardian/policies',
      {
        config: { scope: 'read:mfa_policies' },
        schema: {
          operationId: 'listPolicies',
          summary: 'List when second factors are asked for; empty is never',
          tags,
          response: { 200: Policies, ...refusals(400) },
        },
      },
      async (request) => {
        const { policies } = await database.inEnvironment(request.environment.id, store.get)
        return policies as 'all-applications'[]
      },
    )

    app.put(
      '/guardian/policies',
      {
        config: { scope: 'update:mfa_policies' },
        schema: {
          operationId: 'setPolicies',
          summary: 'Set when second factors are asked for',
          tags,
          body: Policies,
          response: { 200: Policies, ...refusals(400, 501) },
        },
      },
      async ({ environment, body }) => {
        // Nothing here estimates how risky a sign-in is.
        if (body.includes('confidence-score')) throw unsupported('guardian policy confidence-score')
        await database.once(environment.id, (tx) => store.setPolicies(tx, environment.id, body))
        return body
      },
    )

    app.get(
      '/guardian/factors/phone/message-types',
      {
        config: { scope: 'read:guardian_factors' },
        schema: {
          operationId: 'getPhoneMessageTypes',
          summary: 'Get how codes reach a phone',
          tags,
          response: { 200: MessageTypes, ...refusals(400) },
        },
      },
      async () => ({ message_types: ['sms' as const] }),
    )

    app.put(
      '/guardian/factors/phone/message-types',
      {
        config: { scope: 'update:guardian_factors' },
        schema: {
          operationId: 'setPhoneMessageTypes',
          summary: 'Set how codes reach a phone: as text messages',
          tags,
          body: MessageTypes,
          response: { 200: MessageTypes, ...refusals(400, 501) },
        },
      },
      async ({ environment, body }) => {
        const { factors } = await database.inEnvironment(environment.id, store.get)
        // None is what Auth0 has before phones are turned on, and so what its exports hold.
        const none = body.message_types.length === 0 && !factors.includes('sms')
        if (!none && body.message_types.join() !== 'sms') throw unsupported('message_types')
        return body
      },
    )

    // Auth0 has both paths for the same thing: before there were calls a phone was `sms`.
    for (const [path, id] of [
      ['phone', 'Phone'],
      ['sms', 'Sms'],
    ] as const) {
      app.get(
        `/guardian/factors/${path}/selected-provider`,
        {
          config: { scope: 'read:guardian_factors' },
          schema: {
            operationId: `get${id}SelectedProvider`,
            summary: 'Get who sends text messages: whoever is set under branding/phone/providers',
            tags,
            response: { 200: SelectedProvider, ...refusals(400) },
          },
        },
        async () => ({ provider: 'auth0' as const }),
      )

      app.put(
        `/guardian/factors/${path}/selected-provider`,
        {
          config: { scope: 'update:guardian_factors' },
          schema: {
            operationId: `set${id}SelectedProvider`,
            summary: 'Set who sends text messages; another than the phone provider of the branding is not offered',
            tags,
            body: SelectedProvider,
            response: { 200: SelectedProvider, ...refusals(400, 501) },
          },
        },
        async ({ body }) => {
          if (body.provider !== 'auth0') throw unsupported('provider')
          return body
        },
      )

      app.get(
        `/guardian/factors/${path}/templates`,
        {
          config: { scope: 'read:guardian_factors' },
          schema: {
            operationId: `get${id}Templates`,
            summary: 'Get the words of text messages',
            tags,
            response: { 200: SmsTemplates, ...refusals(400) },
          },
        },
        async (request) => {
          const { sms_templates } = await database.inEnvironment(request.environment.id, store.get)
          return sms_templates ?? SMS_TEMPLATES
        },
      )

      app.put(
        `/guardian/factors/${path}/templates`,
        {
          config: { scope: 'update:guardian_factors' },
          schema: {
            operationId: `set${id}Templates`,
            summary: 'Set the words of text messages, as Liquid with {{ code }}',
            tags,
            body: SmsTemplates,
            response: { 200: SmsTemplates, ...refusals(400) },
          },
        },
        async ({ environment, body }) => {
          for (const [member, template] of Object.entries(body)) await refuseUnrenderable(member, template)
          await database.once(environment.id, (tx) => store.setSmsTemplates(tx, environment.id, body))
          return body
        },
      )
    }
  }

/** @throws Problem `invalid_body` for a message that cannot be made, or would not tell the code */
async function refuseUnrenderable(member: string, template: string): Promise<void> {
  const refuse = (reason: string) =>
    bodyProblems.invalid_body({ facts: { reason: `Payload validation error: '${member}' ${reason}.` } })
  const text = await renderWritten('text', template, { code: '042917' }).catch((error: Error) => {
    throw refuse(`is not Liquid that renders: ${error.message.slice(0, 300)}`)
  })
  if (!text.includes('042917')) throw refuse('does not tell the code: write {{ code }}')
}
