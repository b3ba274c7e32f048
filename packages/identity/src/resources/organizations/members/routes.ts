/** Who belongs to an organization, and what they may do in it. */

import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { asker, type TenantLog } from '../../../logs/tenant-log.ts'
import { problems as accessProblems, refusals } from '../../management-api.ts'
import { answer, OffsetQuery, PageAnswer, pageOf } from '../../paging.ts'
import { pictured } from '../../users/avatar.ts'
import { pick, present } from '../../wire.ts'
import { OrganizationId } from '../schema.ts'
import * as organizations from '../store.ts'
import { asksForRoles, problems } from './rules.ts'
import { AssignedRole, ListMembers, Member, MemberIds, MemberPath, RoleIds } from './schema.ts'
import * as store from './store.ts'

const tags = ['organizations']

export const members: Slice<{ database: Database; clock: Clock; tenantLog: TenantLog }> =
  ({ database, clock, tenantLog }) =>
  async (app) => {
    app.get(
      '/organizations/:id/members',
      {
        config: { scope: 'read:organization_members' },
        schema: {
          operationId: 'listMembers',
          summary: 'List the members of an organization',
          tags,
          params: OrganizationId,
          querystring: ListMembers,
          response: { 200: PageAnswer('members', Member), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const withRoles = asksForRoles(request.query)
        if (withRoles && !request.callerScopes.has('read:organization_member_roles')) {
          throw accessProblems.insufficient_scope({ facts: { scopes: 'read:organization_member_roles' } })
        }
        const { rows, total } = await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, request.params.id)
          return store.list(tx, request.params.id, page, { withRoles })
        })
        // The checkpoint goes on after an id that `fields` may have dropped from what is shown.
        const { issuer } = request.environment
        const shown = new Map(rows.map((row) => [pick(present(pictured(issuer, row)), request.query), row.user_id]))
        return answer('members', page, { rows: [...shown.keys()], total }, (member) => shown.get(member)!)
      },
    )

    app.post(
      '/organizations/:id/members',
      {
        config: { scope: 'create:organization_members' },
        schema: {
          operationId: 'addMembers',
          summary: 'Add users to an organization',
          tags,
          params: OrganizationId,
          body: MemberIds,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, request.params.id)
          await store.add(tx, request.environment.id, request.params.id, request.body.members)
        })
        for (const user_id of request.body.members) {
          const about = { ...asker(request), user_id, organization_id: request.params.id }
          tenantLog.add(request.environment.id, { type: 'organization_member_added', ...about })
        }
        return reply.code(204).send(null)
      },
    )

    app.delete(
      '/organizations/:id/members',
      {
        config: { scope: 'delete:organization_members' },
        schema: {
          operationId: 'removeMembers',
          summary: 'Remove users from an organization and end what they were granted in it',
          tags,
          params: OrganizationId,
          body: MemberIds,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, request.params.id)
          await store.remove(tx, request.params.id, request.body.members, clock.now())
        })
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/organizations/:id/members/:user_id/roles',
      {
        config: { scope: 'read:organization_member_roles' },
        schema: {
          operationId: 'listMemberRoles',
          summary: 'List the roles a member has in an organization',
          tags,
          params: MemberPath,
          querystring: Exact(OffsetQuery),
          response: { 200: PageAnswer('roles', AssignedRole), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const { id, user_id } = request.params
        const { rows, total } = await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, id)
          if (!(await store.isMember(tx, id, user_id))) throw problems.inexistent_member()
          return store.listRoles(tx, id, user_id, page)
        })
        return answer('roles', page, { rows: rows.map(present), total }, (row) => row.id)
      },
    )

    app.post(
      '/organizations/:id/members/:user_id/roles',
      {
        config: { scope: 'create:organization_member_roles' },
        schema: {
          operationId: 'assignMemberRoles',
          summary: 'Give a member roles in an organization',
          tags,
          params: MemberPath,
          body: RoleIds,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { id, user_id } = request.params
        await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, id)
          await store.addRoles(tx, request.environment.id, id, user_id, request.body.roles)
        })
        return reply.code(204).send(null)
      },
    )

    app.delete(
      '/organizations/:id/members/:user_id/roles',
      {
        config: { scope: 'delete:organization_member_roles' },
        schema: {
          operationId: 'removeMemberRoles',
          summary: "Take a member's roles in an organization away",
          tags,
          params: MemberPath,
          body: RoleIds,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { id, user_id } = request.params
        await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, id)
          if (!(await store.isMember(tx, id, user_id))) throw problems.inexistent_member()
          await store.removeRoles(tx, id, user_id, request.body.roles)
        })
        return reply.code(204).send(null)
      },
    )
  }
