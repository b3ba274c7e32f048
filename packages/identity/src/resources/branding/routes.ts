/**
 * The look of an environment: colours, logo and favicon of its pages and mails. What an organization or an application
 * says of itself wins over it. The template around the pages and the themes are in folders beside this file.
 */
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import { refusals } from '../management-api.ts'
import { changed } from './rules.ts'
import { Branding, UpdateBranding } from './schema.ts'
import * as store from './store.ts'

const tags = ['branding']

export const branding: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/branding',
      {
        config: { scope: 'read:branding' },
        schema: {
          operationId: 'getBranding',
          summary: 'Get the colours, logo and favicon of pages and mails',
          tags,
          response: { 200: Branding, ...refusals() },
        },
      },
      async (request) => database.inEnvironment(request.environment.id, store.get),
    )

    app.patch(
      '/branding',
      {
        config: { scope: 'update:branding' },
        schema: {
          operationId: 'updateBranding',
          summary: 'Change the colours, logo and favicon of pages and mails; null takes one away',
          tags,
          body: UpdateBranding,
          response: { 200: Branding, ...refusals(400, 501) },
        },
      },
      async (request) => {
        const { environment, body } = request
        return database.inEnvironment(environment.id, async (tx) => {
          const next = changed(await store.lock(tx, environment.id), body)
          await store.save(tx, next)
          return next
        })
      },
    )
  }
