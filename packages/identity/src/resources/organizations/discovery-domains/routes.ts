/**
 * E-mail domains of an organization. Whoever manages the environment says when one counts as proven; of all organizations
 * that claim a domain, one has it verified.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { answer, CheckpointQuery, PageAnswer, pageOf } from '../../paging.ts'
import { OrganizationId } from '../schema.ts'
import * as organizations from '../store.ts'
import { claimed, problems, shown } from './rules.ts'
import { CreateDomain, DiscoveryDomain, DomainNamePath, DomainPath, UpdateDomain } from './schema.ts'
import * as store from './store.ts'

const tags = ['organizations']

export const discoveryDomains: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.get(
      '/organizations/:id/discovery-domains',
      {
        config: { scope: 'read:organization_discovery_domains' },
        schema: {
          operationId: 'listDiscoveryDomains',
          summary: 'List the e-mail domains of an organization',
          tags,
          params: OrganizationId,
          querystring: Exact(CheckpointQuery),
          response: { 200: PageAnswer('domains', DiscoveryDomain), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf({ take: 50, ...request.query })
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, request.params.id)
          return store.list(tx, request.params.id, page)
        })
        return answer('domains', page, found, (row) => row.id, shown)
      },
    )

    app.post(
      '/organizations/:id/discovery-domains',
      {
        config: { scope: 'create:organization_discovery_domains' },
        schema: {
          operationId: 'createDiscoveryDomain',
          summary: 'Give an organization an e-mail domain',
          tags,
          params: OrganizationId,
          body: CreateDomain,
          response: { 201: DiscoveryDomain, ...refusals(400, 404, 409) },
        },
      },
      async (request, reply) => {
        const { environment, params } = request
        const row = claimed(request.body, params.id, clock.now())
        await database.inEnvironment(environment.id, async (tx) => {
          await organizations.lock(tx, params.id)
          await store.insert(tx, environment.id, row)
        })
        return reply.code(201).send(shown(row))
      },
    )

    app.get(
      '/organizations/:id/discovery-domains/name/:discovery_domain',
      {
        config: { scope: 'read:organization_discovery_domains' },
        schema: {
          operationId: 'getDiscoveryDomainByName',
          summary: 'Get an e-mail domain of an organization by its name',
          tags,
          params: DomainNamePath,
          response: { 200: DiscoveryDomain, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { id, discovery_domain: domain } = request.params
        return shown(await database.inEnvironment(request.environment.id, (tx) => store.get(tx, id, { domain })))
      },
    )

    app.get(
      '/organizations/:id/discovery-domains/:discovery_domain_id',
      {
        config: { scope: 'read:organization_discovery_domains' },
        schema: {
          operationId: 'getDiscoveryDomain',
          summary: 'Get an e-mail domain of an organization',
          tags,
          params: DomainPath,
          response: { 200: DiscoveryDomain, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { id, discovery_domain_id } = request.params
        return shown(
          await database.inEnvironment(request.environment.id, (tx) => store.get(tx, id, { id: discovery_domain_id })),
        )
      },
    )

    app.patch(
      '/organizations/:id/discovery-domains/:discovery_domain_id',
      {
        config: { scope: 'update:organization_discovery_domains' },
        schema: {
          operationId: 'updateDiscoveryDomain',
          summary:
            'Say whether an e-mail domain of an organization counts as proven, and whether people find it by theirs',
          tags,
          params: DomainPath,
          body: UpdateDomain,
          response: { 200: DiscoveryDomain, ...refusals(400, 404, 409) },
        },
      },
      async (request) => {
        const { id, discovery_domain_id } = request.params
        return shown(
          await database.inEnvironment(request.environment.id, (tx) =>
            store.update(tx, id, discovery_domain_id, request.body),
          ),
        )
      },
    )

    app.delete(
      '/organizations/:id/discovery-domains/:discovery_domain_id',
      {
        config: { scope: 'delete:organization_discovery_domains' },
        schema: {
          operationId: 'deleteDiscoveryDomain',
          summary: 'Take an e-mail domain from an organization',
          tags,
          params: DomainPath,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { id, discovery_domain_id } = request.params
        const gone = await database.inEnvironment(request.environment.id, (tx) =>
          store.remove(tx, id, discovery_domain_id),
        )
        if (!gone) throw problems.inexistent_discovery_domain()
        return reply.code(204).send(null)
      },
    )
  }
