/** The deployed past of an action. Going back deploys an earlier version as a new one. */
import { Exact, Nullable, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { pageOf } from '../../paging.ts'
import { type ActionsDependencies, deployVersion } from '../deployment.ts'
import { createShow } from '../rules.ts'
import { ActionId, PageQuery, Version, VersionPath } from '../schema.ts'
import * as store from '../store.ts'

const tags = ['actions']

export const actionVersions: Slice<ActionsDependencies> = (deps) => async (app) => {
  const { database, secrets } = deps

  app.get(
    '/actions/actions/:id/versions',
    {
      config: { scope: 'read:actions' },
      schema: {
        operationId: 'listActionVersions',
        summary: 'List the versions of an action, newest first',
        tags,
        params: ActionId,
        querystring: PageQuery,
        response: {
          200: Type.Object({
            total: Type.Integer(),
            page: Type.Integer(),
            per_page: Type.Integer(),
            versions: Type.Array(Version),
          }),
          ...refusals(400, 404),
        },
      },
    },
    async (request) => {
      const { page: number = 0, per_page = 50 } = request.query
      const page = pageOf({ page: number, per_page })
      const show = createShow(secrets, request.environment.id)
      return database.inEnvironment(request.environment.id, async (tx) => {
        const action = await store.get(tx, request.params.id)
        const { rows, total } = await store.listVersions(tx, action.id, page)
        return { total, page: number, per_page, versions: rows.map((row) => show.version(action, row)) }
      })
    },
  )

  app.get(
    '/actions/actions/:id/versions/:version_id',
    {
      config: { scope: 'read:actions' },
      schema: {
        operationId: 'getActionVersion',
        summary: 'Get a version of an action',
        tags,
        params: VersionPath,
        response: { 200: Version, ...refusals(400, 404) },
      },
    },
    async (request) =>
      database.inEnvironment(request.environment.id, async (tx) => {
        const action = await store.get(tx, request.params.id)
        const version = await store.getVersion(tx, action.id, request.params.version_id)
        return createShow(secrets, request.environment.id).version(action, version)
      }),
  )

  app.post(
    '/actions/actions/:id/versions/:version_id/deploy',
    {
      config: { scope: 'create:actions' },
      schema: {
        operationId: 'deployActionVersion',
        summary: 'Go back to a version of an action: deploy it as a new one',
        tags,
        params: VersionPath,
        body: Type.Optional(Nullable(Exact({ update_draft: Type.Optional(Type.Boolean()) }))),
        response: { 200: Version, ...refusals(400, 404) },
      },
    },
    async (request) => {
      const { id, version_id } = request.params
      const updateDraft = request.body?.update_draft === true
      const { action, version } = await deployVersion(deps, request.environment.id, id, version_id, { updateDraft })
      return createShow(secrets, request.environment.id).version(action, version)
    },
  )
}
