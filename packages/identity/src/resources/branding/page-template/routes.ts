/** The template of an environment around the pages of Universal Login; without one they stand alone. */
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import Type, { type Static } from 'typebox'
import { problems as managementProblems, refusals } from '../../management-api.ts'
import { refuse } from '../rules.ts'
import * as store from '../store.ts'
import { bringsScript, refuseTemplate } from './template.ts'

export const problems = defineProblems({
  inexistent_template: { status: 404, title: 'The page template does not exist.' },
})

const tags = ['branding']
const Template = Type.String({ minLength: 1, maxLength: 50_000 })
/** The template as it is (text/html), or as a member of JSON. */
const TemplateInput = Type.Union([Template, Exact({ template: Template })])

export const pageTemplate: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.addContentTypeParser<Buffer>('text/html', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => {
      // The same rules for its bytes as for JSON.
      const text = body.toString('utf8')
      if (Buffer.compare(Buffer.from(text), body) !== 0 || text.includes('\0')) throw refuse('the body is not text.')
      return text
    })

    app.get(
      '/branding/templates/universal-login',
      {
        config: { scope: 'read:branding' },
        schema: {
          operationId: 'getUniversalLoginTemplate',
          summary: 'Get the template around the pages of Universal Login',
          tags,
          response: { 200: Type.Object({ body: Type.String() }), ...refusals(404) },
        },
      },
      async (request) => {
        const body = await database.inEnvironment(request.environment.id, store.pageTemplate)
        if (body === undefined) throw problems.inexistent_template()
        return { body }
      },
    )

    app.put(
      '/branding/templates/universal-login',
      {
        config: { scope: 'update:branding' },
        schema: {
          operationId: 'setUniversalLoginTemplate',
          summary: 'Set the template around the pages of Universal Login: 201 for the first, 204 for another one',
          tags,
          body: TemplateInput,
          response: { 201: Type.Null(), 204: Type.Null(), ...refusals(400, 501) },
        },
      },
      async (request, reply) => {
        const { id } = request.environment
        const body = request.body as Static<typeof TemplateInput>
        const template = typeof body === 'string' ? body : body.template
        const wrong = await refuseTemplate(template)
        if (wrong) throw refuse(`the template ${wrong}.`)
        if (bringsScript(template)) {
          const what = 'Scripts in a page template are not supported: the pages let none run. Leave them out.'
          throw managementProblems.operation_not_supported({ facts: { what } })
        }
        const first = await database.inEnvironment(id, (tx) => store.savePageTemplate(tx, id, template))
        return reply.code(first ? 201 : 204).send(null)
      },
    )

    app.delete(
      '/branding/templates/universal-login',
      {
        config: { scope: 'delete:branding' },
        schema: {
          operationId: 'deleteUniversalLoginTemplate',
          summary: 'Delete the template around the pages of Universal Login',
          tags,
          response: { 204: Type.Null(), ...refusals() },
        },
      },
      async (request, reply) => {
        await database.inEnvironment(request.environment.id, store.removePageTemplate)
        return reply.code(204).send(null)
      },
    )
  }
