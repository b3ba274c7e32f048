/**
 * How an environment words its mails. A template is for a mail that is sent here; the others answer as if nobody had set
 * them, and setting them is refused. What a template does when its mail is written: `wording.ts`.
 */
import type { Database } from '@tenantry/kernel/database/database.ts'
import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import { refusals } from '../management-api.ts'
import { changed, fresh, problems, readable, shown, writable } from './rules.ts'
import {
  EmailTemplate,
  EmailTemplateInput,
  type TemplateName,
  TemplateNamePath,
  UpdateEmailTemplate,
} from './schema.ts'
import * as store from './store.ts'

const tags = ['email-templates']

/** The name in a body is that of the path, or somebody is about to change another template than they think. */
function refuseOtherName(inPath: string, inBody: string | undefined): void {
  if (inBody === undefined || inBody === inPath) return
  throw bodyProblems.invalid_body({
    facts: { reason: "Payload validation error: 'template' is not the template of the path." },
  })
}

export const emailTemplates: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.post(
      '/email-templates',
      {
        config: { scope: 'create:email_templates' },
        schema: {
          operationId: 'createEmailTemplate',
          summary: 'Word a mail that was not worded yet',
          tags,
          body: EmailTemplateInput,
          response: { 200: EmailTemplate, ...refusals(400, 409, 501) },
        },
      },
      async (request) => {
        const { environment, body } = request
        const row = await changed(fresh(writable(body.template)), body)
        await database.inEnvironment(environment.id, (tx) => store.insert(tx, environment.id, row))
        return shown(body.template, row)
      },
    )

    app.get(
      '/email-templates/:templateName',
      {
        config: { scope: 'read:email_templates' },
        schema: {
          operationId: 'getEmailTemplate',
          summary: 'Get how a mail is worded',
          tags,
          params: TemplateNamePath,
          response: { 200: EmailTemplate, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { templateName } = request.params
        const template = readable(templateName)
        const row = await database.inEnvironment(request.environment.id, (tx) => store.find(tx, template))
        if (!row) throw problems.inexistent_email_template()
        return shown(templateName as TemplateName, row)
      },
    )

    app.put(
      '/email-templates/:templateName',
      {
        config: { scope: 'update:email_templates' },
        schema: {
          operationId: 'setEmailTemplate',
          summary: 'Word a mail, whether it was worded before or not',
          tags,
          params: TemplateNamePath,
          body: EmailTemplateInput,
          response: { 200: EmailTemplate, ...refusals(400, 404, 501) },
        },
      },
      async (request) => {
        const { environment, body } = request
        const { templateName } = request.params
        const template = writable(templateName)
        refuseOtherName(templateName, body.template)
        const row = await changed(fresh(template), body)
        await database.inEnvironment(environment.id, (tx) => store.save(tx, environment.id, row))
        return shown(templateName as TemplateName, row)
      },
    )

    app.patch(
      '/email-templates/:templateName',
      {
        config: { scope: 'update:email_templates' },
        schema: {
          operationId: 'updateEmailTemplate',
          summary: 'Change how a mail is worded',
          tags,
          params: TemplateNamePath,
          body: UpdateEmailTemplate,
          response: { 200: EmailTemplate, ...refusals(400, 404, 501) },
        },
      },
      async (request) => {
        const { environment, body } = request
        const { templateName } = request.params
        const template = writable(templateName)
        refuseOtherName(templateName, body.template)
        const row = await database.inEnvironment(environment.id, async (tx) => {
          const next = await changed(await store.lock(tx, template), body)
          await store.save(tx, environment.id, next)
          return next
        })
        return shown(templateName as TemplateName, row)
      },
    )
  }
