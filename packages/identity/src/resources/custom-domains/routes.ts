/**
 * Custom domains: further addresses at which an environment answers. A claim counts for nothing until the domain's owner
 * has published a text in DNS; then it is an origin of this environment and of no other, and tokens made there carry it
 * as their issuer. TLS is ended by whoever runs the server.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { publishes, type ResolveTxt } from '../domain-name.ts'
import { refusals } from '../management-api.ts'
import { pick } from '../wire.ts'
import { changed, claimed, problems, shown, verificationName } from './rules.ts'
import {
  CreateCustomDomain,
  CustomDomain,
  CustomDomainId,
  DefaultDomain,
  ListCustomDomains,
  ListedCustomDomain,
  SetDefaultDomain,
  UpdateCustomDomain,
} from './schema.ts'
import { matching } from './search.ts'
import * as store from './store.ts'

const tags = ['custom-domains']

export const customDomains: Slice<{ database: Database; clock: Clock; resolveTxt: ResolveTxt }> =
  ({ database, clock, resolveTxt }) =>
  async (app) => {
    app.get(
      '/custom-domains',
      {
        config: { scope: 'read:custom_domains' },
        schema: {
          operationId: 'listCustomDomains',
          summary: 'List custom domains',
          tags,
          querystring: ListCustomDomains,
          response: { 200: Type.Array(ListedCustomDomain), ...refusals(400) },
        },
      },
      async (request) => {
        const matches = matching(request.query.q)
        const rows = await database.inEnvironment(request.environment.id, store.list)
        return rows.filter(matches).map((row) => pick(shown(row), request.query))
      },
    )

    app.post(
      '/custom-domains',
      {
        config: { scope: 'create:custom_domains' },
        schema: {
          operationId: 'createCustomDomain',
          summary: 'Claim a domain; the answer says what to publish in DNS',
          tags,
          body: CreateCustomDomain,
          response: { 201: CustomDomain, ...refusals(400, 409, 501) },
        },
      },
      async (request, reply) => {
        const { id } = request.environment
        const row = claimed(request.body, clock.now())
        await database.inEnvironment(id, async (tx) => {
          await store.lockAll(tx, id)
          await store.insert(tx, id, row)
        })
        return reply.code(201).send(shown(row))
      },
    )

    app.get(
      '/custom-domains/default',
      {
        config: { scope: 'read:custom_domains' },
        schema: {
          operationId: 'getDefaultDomain',
          summary: 'Get the domain to which links in mails lead',
          tags,
          response: { 200: DefaultDomain, ...refusals() },
        },
      },
      async (request) => {
        const row = await database.inEnvironment(request.environment.id, store.findDefault)
        return row ? shown(row) : { domain: canonicalDomain(request.environment) }
      },
    )

    app.patch(
      '/custom-domains/default',
      {
        config: { scope: 'update:custom_domains' },
        schema: {
          operationId: 'setDefaultDomain',
          summary: 'Say to which domain links in mails lead',
          tags,
          body: SetDefaultDomain,
          response: { 200: DefaultDomain, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { environment } = request
        const domain = request.body.domain.toLowerCase()
        return database.inEnvironment(environment.id, async (tx) => {
          await store.lockAll(tx, environment.id)
          if (domain === canonicalDomain(environment)) {
            await store.setDefault(tx, undefined)
            return { domain }
          }
          const row = await store.findByDomain(tx, domain)
          if (!row) throw problems.inexistent_custom_domain()
          if (row.status !== 'ready') throw problems.custom_domain_not_ready()
          await store.setDefault(tx, row.id)
          return shown({ ...row, is_default: true })
        })
      },
    )

    app.get(
      '/custom-domains/:id',
      {
        config: { scope: 'read:custom_domains' },
        schema: {
          operationId: 'getCustomDomain',
          summary: 'Get a custom domain',
          tags,
          params: CustomDomainId,
          response: { 200: CustomDomain, ...refusals(400, 404) },
        },
      },
      async (request) =>
        shown(await database.inEnvironment(request.environment.id, (tx) => store.get(tx, request.params.id))),
    )

    app.patch(
      '/custom-domains/:id',
      {
        config: { scope: 'update:custom_domains' },
        schema: {
          operationId: 'updateCustomDomain',
          summary: 'Change the metadata of a custom domain',
          tags,
          params: CustomDomainId,
          body: UpdateCustomDomain,
          response: { 200: CustomDomain, ...refusals(400, 404, 501) },
        },
      },
      async (request) => {
        const { id } = request.environment
        return database.inEnvironment(id, async (tx) => {
          await store.lockAll(tx, id)
          const next = changed(await store.get(tx, request.params.id), request.body)
          await store.saveMetadata(tx, next)
          return shown(next)
        })
      },
    )

    app.delete(
      '/custom-domains/:id',
      {
        config: { scope: 'delete:custom_domains' },
        schema: {
          operationId: 'deleteCustomDomain',
          summary: 'Give a domain up; the environment stops answering there',
          tags,
          params: CustomDomainId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { id } = request.environment
        await database.inEnvironment(id, async (tx) => {
          await store.lockAll(tx, id)
          await store.remove(tx, id, await store.get(tx, request.params.id))
        })
        return reply.code(204).send(null)
      },
    )

    app.post(
      '/custom-domains/:id/verify',
      {
        config: { scope: 'create:custom_domains' },
        schema: {
          operationId: 'verifyCustomDomain',
          summary: 'Look for the proof in DNS and, when it is there, answer at the domain',
          tags,
          params: CustomDomainId,
          response: { 200: CustomDomain, ...refusals(400, 404, 409) },
        },
      },
      async (request) => {
        const { id } = request.environment
        const claim = await database.inEnvironment(id, (tx) => store.get(tx, request.params.id))
        if (claim.status === 'ready') return shown(claim)
        // Outside of a transaction: DNS takes as long as it takes.
        const proven = await publishes(resolveTxt, verificationName(claim.domain), claim.record)
        if (!proven) return shown(claim)
        return database.inEnvironment(id, async (tx) => {
          await store.lockAll(tx, id)
          const row = await store.get(tx, claim.id)
          if (row.status !== 'ready') await store.makeReady(tx, id, row)
          return shown({ ...row, status: 'ready' })
        })
      },
    )

    app.post(
      '/custom-domains/:id/test',
      {
        config: { scope: 'read:custom_domains' },
        schema: {
          operationId: 'testCustomDomain',
          summary: 'Say whether a custom domain is proven and in use',
          tags,
          params: CustomDomainId,
          response: {
            200: Type.Object({ success: Type.Boolean(), message: Type.Optional(Type.String()) }),
            ...refusals(400, 404),
          },
        },
      },
      async (request) => {
        const row = await database.inEnvironment(request.environment.id, (tx) => store.get(tx, request.params.id))
        if (row.status !== 'ready') return { success: false, message: 'The domain is not verified.' }
        // Its owner may have taken the proof back, or another one may own it by now.
        const proven = await publishes(resolveTxt, verificationName(row.domain), row.record)
        if (proven) return { success: true }
        return { success: false, message: `There is no TXT record with the proof at ${verificationName(row.domain)}.` }
      },
    )
  }

/** Where the environment answered before it had custom domains. */
const canonicalDomain = ({ origins }: { origins: string[] }): string => new URL(origins[0]!).hostname
