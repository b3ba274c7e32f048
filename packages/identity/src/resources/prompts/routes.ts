/** How Universal Login asks. What it has no other way of is accepted as it is, and refused by name otherwise. */
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, Nullable, OneOf, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import type { PromptSettings } from '../../environments/environment.ts'
import { unsupported } from '../inert.ts'
import { refusals } from '../management-api.ts'
import * as store from './store.ts'

const tags = ['prompts']

const shown = (settings: PromptSettings | undefined) => ({
  universal_login_experience: 'new',
  identifier_first: settings?.identifier_first ?? false,
  webauthn_platform_first_factor: false,
})
const Settings = Type.Object({
  universal_login_experience: Type.String(),
  identifier_first: Type.Boolean(),
  webauthn_platform_first_factor: Type.Boolean(),
})

export const prompts: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/prompts',
      {
        config: { scope: 'read:prompts' },
        schema: {
          operationId: 'getPromptSettings',
          summary: 'Get how Universal Login asks',
          tags,
          response: { 200: Settings, ...refusals() },
        },
      },
      async ({ environment }) => shown(environment.prompts),
    )

    app.patch(
      '/prompts',
      {
        config: { scope: 'update:prompts' },
        schema: {
          operationId: 'updatePromptSettings',
          summary: 'Change how Universal Login asks',
          tags,
          body: Exact({
            universal_login_experience: Type.Optional(OneOf('new', 'classic')),
            identifier_first: Type.Optional(Nullable(Type.Boolean())),
            webauthn_platform_first_factor: Type.Optional(Nullable(Type.Boolean())),
          }),
          response: { 200: Settings, ...refusals(400, 501) },
        },
      },
      async ({ environment, body }) => {
        if (body.universal_login_experience === 'classic') throw unsupported('universal_login_experience')
        if (body.webauthn_platform_first_factor) throw unsupported('webauthn_platform_first_factor')
        const { identifier_first } = body
        if (identifier_first === undefined || identifier_first === null) return shown(environment.prompts)
        return shown(
          await database.inEnvironment(environment.id, (tx) =>
            store.saveSettings(tx, environment.id, { identifier_first }),
          ),
        )
      },
    )
  }
