import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import type Type from 'typebox'
import type { Caller } from '../access-keys/access-keys.ts'
import { DomainNamePath } from '../domain-names/schema.ts'
import * as domains from '../domain-names/store.ts'
import { inEnvironment, shortId } from '../editing.ts'
import { type ControlPlaneDeps, Empty, ListOf, PageQuery, pageOf, readPage } from '../operation.ts'
import { badRequest, conflict, notFound, tooMany } from '../problems.ts'
import * as stages from '../stages/store.ts'
import { ApiMapping, CreateApiMapping, MappingPath, UpdateApiMapping } from './schema.ts'
import * as store from './store.ts'

const path = '/v2/domainnames/:DomainName/apimappings'
const one = `${path}/:ApiMappingId`
const tags = ['API mappings']
/** Amazon's quota of mappings whose key has several levels. */
const mostDeep = 200

const show = (row: store.StoredMapping): Type.Static<typeof ApiMapping> => ({
  apiId: row.api_id,
  apiMappingId: row.id,
  apiMappingKey: row.mapping_key,
  stage: row.stage,
})

export const apiMappings: Slice<ControlPlaneDeps> = (deps) => async (app) => {
  const inDomain = <T>(caller: Caller, name: string, work: (tx: Tx) => Promise<T>): Promise<T> =>
    inEnvironment(deps, caller, async (tx) => {
      if ((await domains.lock(tx, name)) === undefined) throw notFound('domain name')
      return work(tx)
    })
  const existing = async (tx: Tx, { DomainName, ApiMappingId }: Type.Static<typeof MappingPath>) => {
    const row = await store.find(tx, DomainName, ApiMappingId)
    if (row === undefined) throw notFound('API mapping')
    return row
  }

  app.post(
    path,
    {
      schema: {
        ...{ operationId: 'CreateApiMapping', summary: 'Lead a domain, or a path of it, to a stage', tags },
        params: DomainNamePath,
        body: CreateApiMapping,
        response: { 201: ApiMapping },
      },
    },
    async ({ signedBy: caller, params, body: { apiId, stage, apiMappingKey = '' } }, reply) => {
      const made = await inDomain(caller, params.DomainName, async (tx) => {
        const row = {
          ...{ domain_name: params.DomainName, id: shortId(6) },
          ...{ api_id: apiId, stage, mapping_key: apiMappingKey },
        }
        await check(tx, row)
        return store.insert(tx, caller.environmentId, row)
      })
      return reply.code(201).send(show(made))
    },
  )

  app.get(
    path,
    {
      schema: {
        ...{ operationId: 'GetApiMappings', summary: 'List the mappings of a domain', tags },
        params: DomainNamePath,
        querystring: PageQuery,
        response: { 200: ListOf(ApiMapping) },
      },
    },
    async ({ signedBy: caller, params, query }) => {
      const page = readPage(query)
      return inDomain(caller, params.DomainName, async (tx) =>
        pageOf(await store.list(tx, params.DomainName, page), page, show),
      )
    },
  )

  app.get(
    one,
    {
      schema: {
        ...{ operationId: 'GetApiMapping', summary: 'Read a mapping', tags },
        params: MappingPath,
        response: { 200: ApiMapping },
      },
    },
    async ({ signedBy: caller, params }) =>
      inDomain(caller, params.DomainName, async (tx) => show(await existing(tx, params))),
  )

  app.patch(
    one,
    {
      schema: {
        ...{ operationId: 'UpdateApiMapping', summary: 'Lead a mapping elsewhere', tags },
        params: MappingPath,
        body: UpdateApiMapping,
        response: { 200: ApiMapping },
      },
    },
    async ({ signedBy: caller, params, body }) =>
      inDomain(caller, params.DomainName, async (tx) => {
        const before = await existing(tx, params)
        const after = {
          ...before,
          api_id: body.apiId,
          stage: body.stage ?? before.stage,
          mapping_key: body.apiMappingKey ?? before.mapping_key,
        }
        await check(tx, after)
        await store.update(tx, after)
        return show(after)
      }),
  )

  app.delete(
    one,
    {
      schema: {
        ...{ operationId: 'DeleteApiMapping', summary: 'Remove a mapping', tags },
        params: MappingPath,
        response: { 204: Empty },
      },
    },
    async ({ signedBy: caller, params }, reply) => {
      await inDomain(caller, params.DomainName, async (tx) => {
        await existing(tx, params)
        await store.remove(tx, params.DomainName, params.ApiMappingId)
      })
      return reply.code(204).send(null)
    },
  )
}

/** @throws Problem BadRequestException, ConflictException, NotFoundException, TooManyRequestsException */
async function check(tx: Tx, { domain_name, id, api_id, stage, mapping_key }: Omit<store.StoredMapping, 'position'>) {
  const segments = mapping_key.split('/')
  if (
    mapping_key !== '' &&
    !segments.every((segment) => /^[\w$.+!*'()-]+$/.test(segment) && !/^\.\.?$/.test(segment))
  ) {
    throw badRequest("ApiMapping key should be segments of letters, digits and $-_.+!*'(), with slashes between")
  }
  const others = (await store.all(tx, domain_name)).filter((other) => other.id !== id)
  if (others.some((other) => other.mapping_key === mapping_key)) {
    throw conflict('ApiMapping key already exists for this domain name')
  }
  const deep = others.filter((other) => other.mapping_key.includes('/'))
  if (segments.length > 1 && deep.length >= mostDeep) {
    throw tooMany(`Maximum number of multi-level API mappings for this domain name has been reached: ${mostDeep}`)
  }
  if ((await stages.find(tx, api_id, stage)) === undefined) throw badRequest('Invalid stage identifier specified')
}
