/** What an environment's pages say, and hold, beyond our own. */
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../management-api.ts'
import { checkPartials, checkTexts, type DefaultTexts } from './rules.ts'
import { CustomTexts, Partials, PromptPath, TextPath } from './schema.ts'
import * as store from './store.ts'

const tags = ['prompts']

export const promptWords: Slice<{ database: Database; defaults: DefaultTexts }> =
  ({ database, defaults }) =>
  async (app) => {
    app.get(
      '/prompts/:prompt/custom-text/:language',
      {
        config: { scope: 'read:prompts' },
        schema: {
          operationId: 'getCustomText',
          summary: 'Get the texts of a prompt that were changed',
          tags,
          params: TextPath,
          response: { 200: CustomTexts, ...refusals(400) },
        },
      },
      async ({ environment, params: { prompt, language } }) =>
        database.inEnvironment(environment.id, (tx) => store.texts(tx, prompt, language)),
    )

    app.put(
      '/prompts/:prompt/custom-text/:language',
      {
        config: { scope: 'update:prompts' },
        schema: {
          operationId: 'setCustomText',
          summary: 'Change texts of a prompt; those that are left out are ours again',
          tags,
          params: TextPath,
          body: CustomTexts,
          response: { 204: Type.Null(), ...refusals(400, 501) },
        },
      },
      async ({ environment, params: { prompt, language }, body }, reply) => {
        const texts = checkTexts(defaults, prompt, body)
        await database.inEnvironment(environment.id, (tx) =>
          store.saveTexts(tx, environment.id, prompt, language, texts),
        )
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/prompts/:prompt/partials',
      {
        config: { scope: 'read:prompts' },
        schema: {
          operationId: 'getPartials',
          summary: 'Get the partials of a prompt',
          tags,
          params: PromptPath,
          response: { 200: Partials, ...refusals(400) },
        },
      },
      async ({ environment, params: { prompt } }) =>
        database.inEnvironment(environment.id, (tx) => store.partials(tx, prompt)),
    )

    app.put(
      '/prompts/:prompt/partials',
      {
        config: { scope: 'update:prompts' },
        schema: {
          operationId: 'setPartials',
          summary: 'Set the partials of a prompt: Liquid that stands inside its forms',
          tags,
          params: PromptPath,
          body: Partials,
          response: { 204: Type.Null(), ...refusals(400, 501) },
        },
      },
      async ({ environment, params: { prompt }, body }, reply) => {
        const partials = await checkPartials(defaults, prompt, body as Partials)
        await database.inEnvironment(environment.id, (tx) => store.savePartials(tx, environment.id, prompt, partials))
        return reply.code(204).send(null)
      },
    )
  }
