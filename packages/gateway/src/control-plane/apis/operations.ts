import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import { domainsOf } from '../api-mappings/store.ts'
import { createApi, editApi, inEnvironment, readApi, shortId } from '../editing.ts'
import { ApiPath, type ControlPlaneDeps, Empty, ListOf, PageQuery, pageOf, readPage } from '../operation.ts'
import { conflict, notImplemented, tooMany } from '../problems.ts'
import { checkTags } from '../tags/rules.ts'
import { changeQuickCreated, quickCreate } from './quick-create.ts'
import { apiSettings } from './rules.ts'
import { Api, CreateApi, UpdateApi } from './schema.ts'
import { showApi } from './show.ts'
import * as store from './store.ts'

const tags = ['Apis']
/** Amazon's quota of Regional APIs. */
export const mostApis = 600

export const apis: Slice<ControlPlaneDeps> = (deps) => async (app) => {
  app.post(
    '/v2/apis',
    {
      schema: {
        ...{ operationId: 'CreateApi', summary: 'Create an API', tags },
        body: CreateApi,
        response: { 201: Api },
      },
    },
    async ({ signedBy: caller, body: { protocolType, tags = {}, ...body } }, reply) => {
      if (protocolType === 'WEBSOCKET') throw notImplemented('WebSocket APIs are not offered here')
      checkTags(tags)
      const settings = apiSettings({}, body)
      const id = shortId(10)
      const created_at = deps.clock.now()
      const insert = async (tx: Tx) => {
        if ((await store.count(tx)) >= mostApis) throw tooMany(`Maximum number of APIs has been reached: ${mostApis}`)
        return store.insert(tx, { environment_id: caller.environmentId, id, settings, tags, created_at })
      }
      const made = await createApi(deps, caller, insert, (edit) => quickCreate(edit, body, created_at))
      return reply.code(201).send(showApi(deps, made))
    },
  )

  app.get(
    '/v2/apis',
    {
      schema: {
        ...{ operationId: 'GetApis', summary: 'List APIs', tags },
        querystring: PageQuery,
        response: { 200: ListOf(Api) },
      },
    },
    async ({ signedBy: caller, query }) => {
      const page = readPage(query)
      const rows = await inEnvironment(deps, caller, (tx) => store.list(tx, page))
      return pageOf(rows, page, (row) => showApi(deps, row))
    },
  )

  app.get(
    '/v2/apis/:ApiId',
    {
      schema: {
        ...{ operationId: 'GetApi', summary: 'Read an API', tags },
        params: ApiPath,
        response: { 200: Api },
      },
    },
    async ({ signedBy: caller, params }) => readApi(deps, caller, params.ApiId, async ({ api }) => showApi(deps, api)),
  )

  app.patch(
    '/v2/apis/:ApiId',
    {
      schema: {
        ...{ operationId: 'UpdateApi', summary: 'Change an API', tags },
        params: ApiPath,
        body: UpdateApi,
        response: { 200: Api },
      },
    },
    async ({ signedBy: caller, params, body }) =>
      editApi(deps, caller, params.ApiId, async (edit) => {
        const settings = apiSettings(edit.api.settings, body)
        await store.update(edit.tx, edit.apiId, settings)
        await changeQuickCreated(edit, body)
        return showApi(deps, { ...edit.api, settings })
      }),
  )

  app.delete(
    '/v2/apis/:ApiId',
    {
      schema: {
        ...{ operationId: 'DeleteApi', summary: 'Delete an API with all its parts', tags },
        params: ApiPath,
        response: { 204: Empty },
      },
    },
    async ({ signedBy: caller, params }, reply) => {
      await editApi(deps, caller, params.ApiId, async ({ tx, apiId }) => {
        const [domain] = await domainsOf(tx, apiId)
        if (domain !== undefined) {
          throw conflict(
            `Unable to delete API: the domain name ${domain} has a mapping to it. Delete the mapping first`,
          )
        }
        await store.remove(tx, apiId)
      })
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/v2/apis/:ApiId/cors',
    {
      schema: {
        ...{ operationId: 'DeleteCorsConfiguration', summary: 'Leave CORS to the integrations', tags },
        params: ApiPath,
        response: { 204: Empty },
      },
    },
    async ({ signedBy: caller, params }, reply) => {
      await editApi(deps, caller, params.ApiId, async ({ tx, apiId, api }) => {
        const { corsConfiguration: _, ...settings } = api.settings
        await store.update(tx, apiId, settings)
      })
      return reply.code(204).send(null)
    },
  )
}
