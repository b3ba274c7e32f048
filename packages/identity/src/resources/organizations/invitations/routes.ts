/** Inviting people by e-mail into an organization. Accepting is part of the login and uses the ticket up. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import Type from 'typebox'
import type { Outbox } from '../../../delivery/outbox.ts'
import type { RequestEnvironment } from '../../../environments/environment.ts'
import { wordingOf } from '../../email-templates/wording.ts'
import { refusals } from '../../management-api.ts'
import { answer, PageAnswer, pageOf } from '../../paging.ts'
import { FieldsQuery, pick } from '../../wire.ts'
import { problems as organizationProblems } from '../rules.ts'
import { OrganizationId } from '../schema.ts'
import * as organizations from '../store.ts'
import { invitationMail, invitationUrl, invite, openTicket, problems, refuse, show } from './rules.ts'
import { CreateInvitation, Invitation, InvitationPath, ListInvitations } from './schema.ts'
import * as store from './store.ts'

const tags = ['organizations']

export const invitations: Slice<{ database: Database; secrets: Secrets; clock: Clock; outbox: Outbox }> =
  ({ database, secrets, clock, outbox }) =>
  async (app) => {
    const shown = (
      environment: RequestEnvironment,
      organization: organizations.OrganizationRow,
      { initiate_login_uri, ...row }: store.ListedInvitation,
    ) => {
      const ticket = openTicket(secrets, environment.id, row)
      const route = initiate_login_uri ?? environment.settings.default_redirection_uri
      return show(row, ticket, invitationUrl(route, organization, ticket))
    }

    app.get(
      '/organizations/:id/invitations',
      {
        config: { scope: 'read:organization_invitations' },
        schema: {
          operationId: 'listInvitations',
          summary: 'List the invitations of an organization that are not accepted yet',
          tags,
          params: OrganizationId,
          querystring: ListInvitations,
          response: { 200: PageAnswer('invitations', Invitation), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const { organization, found } = await database.inEnvironment(request.environment.id, async (tx) => ({
          organization: await organizations.get(tx, request.params.id),
          found: await store.list(tx, request.params.id, page, request.query.sort),
        }))
        const rows = found.rows.map((row) => pick(shown(request.environment, organization, row), request.query))
        return answer('invitations', page, { rows, total: found.total }, (row) => row.id ?? '')
      },
    )

    app.post(
      '/organizations/:id/invitations',
      {
        config: { scope: 'create:organization_invitations' },
        schema: {
          operationId: 'createInvitation',
          summary: 'Invite a person into an organization',
          tags,
          params: OrganizationId,
          body: CreateInvitation,
          response: { 200: Invitation, ...refusals(400, 404, 409, 429) },
        },
      },
      async (request) => {
        const { environment, body: asked } = request
        const now = clock.now()
        return database.inEnvironment(environment.id, async (tx) => {
          const organization = await organizations.get(tx, request.params.id)
          if (organization.is_suspended) throw organizationProblems.organization_suspended()
          const wording = await wordingOf(tx, 'user_invitation')
          const ttl = wording?.url_lifetime_in_seconds ?? undefined
          const given = { environmentId: environment.id, organizationId: organization.id, asked, ttl, now }
          const { row, ticket } = invite({ secrets }, given)
          const client = await store.loginRoute(tx, asked.client_id)
          const route = client.initiate_login_uri ?? environment.settings.default_redirection_uri
          const url = invitationUrl(route, organization, ticket)
          if (!url) throw refuse('A default login route is required to generate the invitation url')
          if (asked.connection_id) await store.requireConnection(tx, organization.id, asked.connection_id)
          const roleNames = await store.requireRoles(tx, row.roles)
          await store.limitRate(tx, environment.id, asked.invitee.email, now)
          await store.insert(tx, environment.id, row)
          if (asked.send_invitation_email !== false) {
            const about = { environment, organization, invitation: row, client, roleNames, url, wording }
            const mail = await invitationMail(about)
            if (mail) await outbox.add(tx, environment.id, { ...mail, organizationId: organization.id })
          }
          return show(row, ticket, url)
        })
      },
    )

    app.get(
      '/organizations/:id/invitations/:invitation_id',
      {
        config: { scope: 'read:organization_invitations' },
        schema: {
          operationId: 'getInvitation',
          summary: 'Get an invitation',
          tags,
          params: InvitationPath,
          querystring: Exact(FieldsQuery),
          response: { 200: Invitation, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { id, invitation_id } = request.params
        const { organization, row } = await database.inEnvironment(request.environment.id, async (tx) => ({
          organization: await organizations.get(tx, id),
          row: await store.get(tx, id, invitation_id),
        }))
        return pick(shown(request.environment, organization, row), request.query)
      },
    )

    app.delete(
      '/organizations/:id/invitations/:invitation_id',
      {
        config: { scope: 'delete:organization_invitations' },
        schema: {
          operationId: 'deleteInvitation',
          summary: 'Withdraw an invitation',
          tags,
          params: InvitationPath,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { id, invitation_id } = request.params
        const gone = await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, id)
          return store.remove(tx, id, invitation_id)
        })
        if (!gone) throw problems.inexistent_invitation()
        return reply.code(204).send(null)
      },
    )
  }
