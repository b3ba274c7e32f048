/**
 * Themes of Universal Login. The first one that was made is the default, and the default is what pages show. What of a
 * theme these pages obey is in `schema.ts`; the rest is accepted at Auth0's own values.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { accepted, created, shown } from './rules.ts'
import { ThemeAnswer, ThemeId, ThemeInput } from './schema.ts'
import * as store from './store.ts'

const tags = ['branding']

export const brandingThemes: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.post(
      '/branding/themes',
      {
        config: { scope: 'update:branding' },
        schema: {
          operationId: 'createBrandingTheme',
          summary: 'Create a theme; the first one is what pages show',
          tags,
          body: ThemeInput,
          response: { 201: ThemeAnswer, ...refusals(400, 501) },
        },
      },
      async (request, reply) => {
        const row = created(request.body, clock.now())
        const { id } = request.environment
        await database.inEnvironment(id, (tx) => store.insert(tx, id, row))
        return reply.code(201).send(shown(row))
      },
    )

    app.get(
      '/branding/themes/default',
      {
        config: { scope: 'read:branding' },
        schema: {
          operationId: 'getDefaultBrandingTheme',
          summary: 'Get the theme that pages show',
          tags,
          response: { 200: ThemeAnswer, ...refusals(404) },
        },
      },
      async (request) => shown(await database.inEnvironment(request.environment.id, store.getDefault)),
    )

    app.get(
      '/branding/themes/:themeId',
      {
        config: { scope: 'read:branding' },
        schema: {
          operationId: 'getBrandingTheme',
          summary: 'Get a theme',
          tags,
          params: ThemeId,
          response: { 200: ThemeAnswer, ...refusals(400, 404) },
        },
      },
      async (request) =>
        shown(await database.inEnvironment(request.environment.id, (tx) => store.get(tx, request.params.themeId))),
    )

    app.patch(
      '/branding/themes/:themeId',
      {
        config: { scope: 'update:branding' },
        schema: {
          operationId: 'updateBrandingTheme',
          summary: 'Replace a theme',
          tags,
          params: ThemeId,
          body: ThemeInput,
          response: { 200: ThemeAnswer, ...refusals(400, 404, 501) },
        },
      },
      async (request) => {
        const { themeId } = request.params
        const theme = accepted(request.body)
        await database.inEnvironment(request.environment.id, (tx) => store.replace(tx, themeId, theme))
        return shown({ id: themeId, theme })
      },
    )

    app.delete(
      '/branding/themes/:themeId',
      {
        config: { scope: 'delete:branding' },
        schema: {
          operationId: 'deleteBrandingTheme',
          summary: 'Delete a theme',
          tags,
          params: ThemeId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        await database.inEnvironment(request.environment.id, (tx) => store.remove(tx, request.params.themeId))
        return reply.code(204).send(null)
      },
    )
  }
