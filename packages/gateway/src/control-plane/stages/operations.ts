import type { Slice } from '@tenantry/kernel/http/slice.ts'
import type Type from 'typebox'
import type { Caller } from '../access-keys/access-keys.ts'
import { domainsOf } from '../api-mappings/store.ts'
import * as deployments from '../deployments/store.ts'
import { deployedMessage, type Editing, editApi, readApi, stageFault } from '../editing.ts'
import { ApiPath, type ControlPlaneDeps, Empty, ListOf, PageQuery, pageOf, readPage } from '../operation.ts'
import { badRequest, conflict, notFound, tooMany } from '../problems.ts'
import { checkTags } from '../tags/rules.ts'
import { checkStageName, stageSettings } from './rules.ts'
import { CreateStage, RouteSettingsPath, Stage, type StageMembers, StagePath, UpdateStage } from './schema.ts'
import * as store from './store.ts'

const path = '/v2/apis/:ApiId/stages'
const one = `${path}/:StageName`
const tags = ['Stages']
/** Amazon's quota per API. */
const mostStages = 10

const show = (row: store.StoredStage): Type.Static<typeof Stage> => ({
  ...row.settings,
  autoDeploy: row.is_auto_deploy,
  createdDate: row.created_at.toISOString(),
  defaultRouteSettings: { detailedMetricsEnabled: false, ...row.settings.defaultRouteSettings },
  lastUpdatedDate: row.updated_at.toISOString(),
  routeSettings: row.settings.routeSettings ?? {},
  stageName: row.name,
  stageVariables: row.settings.stageVariables ?? {},
  tags: row.tags,
  ...(row.deployment_id === null ? {} : { deploymentId: row.deployment_id }),
  ...(row.deployment_message === null ? {} : { lastDeploymentStatusMessage: row.deployment_message }),
  ...(row.is_managed ? { apiGatewayManaged: true } : {}),
})

export const stages: Slice<ControlPlaneDeps> = (deps) => async (app) => {
  const existing = async ({ tx, apiId }: Editing, name: string): Promise<store.StoredStage> => {
    const row = await store.find(tx, apiId, name)
    if (row === undefined) throw notFound('Stage')
    return row
  }

  const around = ({ accountId }: Caller) => ({ accountId, hasLogGroups: deps.hasLogGroups === true })

  /** What a stage serves after a change: automatic stages are seen to after it. */
  const placed = async (edit: Editing, stage: store.StoredStage, { deploymentId }: StageMembers) => {
    if (deploymentId && stage.is_auto_deploy) {
      throw badRequest('Deployment ID cannot be set on a stage with autoDeploy: it deploys every change by itself')
    }
    const id = deploymentId === undefined ? stage.deployment_id : deploymentId || null
    if (id === null) return stage
    const deployment = await deployments.find(edit.tx, edit.apiId, id)
    if (deployment === undefined) throw notFound('Deployment')
    if (deployment.definition === null) throw badRequest(`The deployment ${id} has failed and cannot be served`)
    const fault = stage.is_auto_deploy ? null : stageFault(deps, edit, deployment.definition, stage)
    if (fault !== null) throw badRequest(`The stage could not serve the deployment ${id}: ${fault}`)
    return {
      ...stage,
      deployment_id: id,
      deployment_message: id === stage.deployment_id ? stage.deployment_message : deployedMessage(id),
    }
  }

  const change = (
    caller: Caller,
    { ApiId, StageName }: { ApiId: string; StageName: string },
    work: (stage: store.StoredStage) => StageMembers | { settings: store.StoredStage['settings'] },
  ) =>
    editApi(deps, caller, ApiId, async (edit) => {
      const before = await existing(edit, StageName)
      const asked = work(before)
      const members: StageMembers = 'settings' in asked ? {} : asked
      const now = deps.clock.now()
      const after = {
        ...before,
        is_auto_deploy: members.autoDeploy ?? before.is_auto_deploy,
        settings: 'settings' in asked ? asked.settings : stageSettings(before.settings, members, around(caller)),
        updated_at: now,
      }
      const stage = await placed(edit, after, members)
      await store.update(edit.tx, stage)
    }).then(() => readApi(deps, caller, ApiId, (edit) => existing(edit, StageName)))

  app.post(
    path,
    {
      schema: {
        ...{ operationId: 'CreateStage', summary: 'Serve an API under a name', tags },
        params: ApiPath,
        body: CreateStage,
        response: { 201: Stage },
      },
    },
    async ({ signedBy: caller, params, body: { stageName, tags = {}, ...body } }, reply) => {
      checkStageName(stageName)
      checkTags(tags)
      const settings = stageSettings({}, body, around(caller))
      await editApi(deps, caller, params.ApiId, async (edit) => {
        const { tx, apiId } = edit
        const names = (await store.all(tx, apiId)).map(({ name }) => name)
        if (names.includes(stageName)) throw conflict('Stage already exists')
        if (names.length >= mostStages) {
          throw tooMany(`Maximum number of stages for this API has been reached: ${mostStages}`)
        }
        const now = deps.clock.now()
        const stage: store.StoredStage = {
          ...{ api_id: apiId, name: stageName, deployment_id: null, is_auto_deploy: body.autoDeploy ?? false },
          ...{ settings, tags, is_managed: false, deployment_message: null, position: '' },
          ...{ created_at: now, updated_at: now },
        }
        const { position: _, api_id: __, ...row } = await placed(edit, stage, body)
        await store.insert(tx, edit, row)
      })
      const made = await readApi(deps, caller, params.ApiId, (edit) => existing(edit, stageName))
      return reply.code(201).send(show(made))
    },
  )

  app.get(
    path,
    {
      schema: {
        ...{ operationId: 'GetStages', summary: 'List the stages of an API', tags },
        params: ApiPath,
        querystring: PageQuery,
        response: { 200: ListOf(Stage) },
      },
    },
    async ({ signedBy: caller, params, query }) =>
      readApi(deps, caller, params.ApiId, async ({ tx, apiId }) => {
        const page = readPage(query)
        return pageOf(await store.list(tx, apiId, page), page, show)
      }),
  )

  app.get(
    one,
    {
      schema: {
        ...{ operationId: 'GetStage', summary: 'Read a stage, and how its last deployment went', tags },
        params: StagePath,
        response: { 200: Stage },
      },
    },
    async ({ signedBy: caller, params }) =>
      readApi(deps, caller, params.ApiId, async (edit) => show(await existing(edit, params.StageName))),
  )

  app.patch(
    one,
    {
      schema: {
        ...{ operationId: 'UpdateStage', summary: 'Change a stage, or what it serves', tags },
        params: StagePath,
        body: UpdateStage,
        response: { 200: Stage },
      },
    },
    async ({ signedBy: caller, params, body }) =>
      show(
        await change(caller, params, ({ is_managed }) => {
          if (is_managed && (body.autoDeploy === false || body.deploymentId !== undefined)) {
            throw badRequest('The stage made by quick create always deploys by itself')
          }
          return body
        }),
      ),
  )

  app.delete(
    one,
    {
      schema: {
        ...{ operationId: 'DeleteStage', summary: 'Stop serving a stage', tags },
        params: StagePath,
        response: { 204: Empty },
      },
    },
    async ({ signedBy: caller, params }, reply) => {
      await editApi(deps, caller, params.ApiId, async (edit) => {
        const { name } = await existing(edit, params.StageName)
        const [domain] = await domainsOf(edit.tx, edit.apiId, name)
        if (domain !== undefined) {
          throw conflict(
            `Deleting stage failed: the domain name ${domain} has a mapping to it. Delete the mapping first`,
          )
        }
        await store.remove(edit.tx, edit.apiId, name)
      })
      return reply.code(204).send(null)
    },
  )

  app.delete(
    `${one}/accesslogsettings`,
    {
      schema: {
        ...{ operationId: 'DeleteAccessLogSettings', summary: 'Log in the gateway’s own format', tags },
        params: StagePath,
        response: { 204: Empty },
      },
    },
    async ({ signedBy: caller, params }, reply) => {
      await change(caller, params, ({ settings: { accessLogSettings: _, ...settings } }) => ({ settings }))
      return reply.code(204).send(null)
    },
  )

  app.delete(
    `${one}/routesettings/:RouteKey`,
    {
      schema: {
        ...{ operationId: 'DeleteRouteSettings', summary: 'Treat a route as the others of its stage', tags },
        params: RouteSettingsPath,
        response: { 204: Empty },
      },
    },
    async ({ signedBy: caller, params }, reply) => {
      await change(caller, params, ({ settings }) => {
        const { [params.RouteKey]: found, ...routeSettings } = settings.routeSettings ?? {}
        if (found === undefined) throw notFound('Route settings')
        return { settings: { ...settings, routeSettings } }
      })
      return reply.code(204).send(null)
    },
  )

  app.delete(
    `${one}/cache/authorizers`,
    {
      schema: {
        ...{ operationId: 'ResetAuthorizersCache', summary: 'Have authorizers decide anew', tags },
        params: StagePath,
        response: { 204: Empty },
      },
    },
    async ({ signedBy: caller, params }, reply) => {
      await readApi(deps, caller, params.ApiId, async (edit) => {
        const { name } = await existing(edit, params.StageName)
        await store.announceReset(edit.tx, JSON.stringify([edit.apiId, name]))
      })
      return reply.code(204).send(null)
    },
  )
}
