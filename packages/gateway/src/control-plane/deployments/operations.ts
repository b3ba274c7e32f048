import type { Slice } from '@tenantry/kernel/http/slice.ts'
import type Type from 'typebox'
import { currentDefinition, deployedMessage, type Editing, editApi, readApi, shortId, stageFault } from '../editing.ts'
import { ApiPath, type ControlPlaneDeps, Empty, ListOf, PageQuery, pageOf, readPage } from '../operation.ts'
import { badRequest, conflict, notFound } from '../problems.ts'
import * as stages from '../stages/store.ts'
import { CreateDeployment, Deployment, DeploymentPath, UpdateDeployment } from './schema.ts'
import * as store from './store.ts'

const path = '/v2/apis/:ApiId/deployments'
const tags = ['Deployments']

const show = (row: store.StoredDeployment): Type.Static<typeof Deployment> => ({
  autoDeployed: row.is_auto_deployed,
  createdDate: row.created_at.toISOString(),
  deploymentId: row.id,
  deploymentStatus: row.status_message === null ? 'DEPLOYED' : 'FAILED',
  ...(row.status_message === null ? {} : { deploymentStatusMessage: row.status_message }),
  ...(row.description === null ? {} : { description: row.description }),
})

export const deployments: Slice<ControlPlaneDeps> = (deps) => async (app) => {
  const existing = async ({ tx, apiId }: Editing, id: string): Promise<store.StoredDeployment> => {
    const row = await store.find(tx, apiId, id)
    if (row === undefined) throw notFound('Deployment')
    return row
  }

  app.post(
    path,
    {
      schema: {
        ...{ operationId: 'CreateDeployment', summary: 'Take a snapshot of an API, and serve it at a stage', tags },
        params: ApiPath,
        body: CreateDeployment,
        response: { 201: Deployment },
      },
    },
    async ({ signedBy: caller, params, body: { description, stageName } }, reply) => {
      const made = await editApi(deps, caller, params.ApiId, async (edit) => {
        const { tx, apiId } = edit
        const stage = stageName === undefined ? undefined : await stages.find(tx, apiId, stageName)
        if (stageName !== undefined && stage === undefined) throw notFound('Stage')
        if (stage?.is_auto_deploy === true) {
          throw badRequest('Deployment ID cannot be set on a stage with autoDeploy: it deploys every change by itself')
        }
        const definition = await currentDefinition(edit)
        if (typeof definition === 'string') throw badRequest(definition)
        const fault = stage === undefined ? null : stageFault(deps, edit, definition, stage)
        if (fault !== null) throw badRequest(`Unable to deploy API: ${fault}`)
        const now = deps.clock.now()
        const row = await store.insert(tx, edit, {
          id: shortId(6),
          definition,
          is_auto_deployed: false,
          description: description || null,
          status_message: null,
          created_at: now,
        })
        if (stage !== undefined) {
          const deployment_message = deployedMessage(row.id)
          await stages.update(tx, { ...stage, deployment_id: row.id, deployment_message, updated_at: now })
        }
        return row
      })
      return reply.code(201).send(show(made))
    },
  )

  app.get(
    path,
    {
      schema: {
        ...{ operationId: 'GetDeployments', summary: 'List the snapshots of an API', tags },
        params: ApiPath,
        querystring: PageQuery,
        response: { 200: ListOf(Deployment) },
      },
    },
    async ({ signedBy: caller, params, query }) =>
      readApi(deps, caller, params.ApiId, async ({ tx, apiId }) => {
        const page = readPage(query)
        return pageOf(await store.list(tx, apiId, page), page, show)
      }),
  )

  app.get(
    `${path}/:DeploymentId`,
    {
      schema: {
        ...{ operationId: 'GetDeployment', summary: 'Read what became of a deployment', tags },
        params: DeploymentPath,
        response: { 200: Deployment },
      },
    },
    async ({ signedBy: caller, params }) =>
      readApi(deps, caller, params.ApiId, async (edit) => show(await existing(edit, params.DeploymentId))),
  )

  app.patch(
    `${path}/:DeploymentId`,
    {
      schema: {
        ...{ operationId: 'UpdateDeployment', summary: 'Describe a deployment', tags },
        params: DeploymentPath,
        body: UpdateDeployment,
        response: { 200: Deployment },
      },
    },
    async ({ signedBy: caller, params, body }) =>
      readApi(deps, caller, params.ApiId, async (edit) => {
        const row = await existing(edit, params.DeploymentId)
        const description = body.description === undefined ? row.description : body.description || null
        await store.describe(edit.tx, edit.apiId, row.id, description)
        return show({ ...row, description })
      }),
  )

  app.delete(
    `${path}/:DeploymentId`,
    {
      schema: {
        ...{ operationId: 'DeleteDeployment', summary: 'Forget a snapshot that no stage serves', tags },
        params: DeploymentPath,
        response: { 204: Empty },
      },
    },
    async ({ signedBy: caller, params }, reply) => {
      await editApi(deps, caller, params.ApiId, async (edit) => {
        const { id } = await existing(edit, params.DeploymentId)
        const [stage] = await stages.namesServing(edit.tx, edit.apiId, id)
        if (stage !== undefined) {
          throw conflict(`Active stages pointing to this deployment must be moved or deleted: ${stage}`)
        }
        await store.remove(edit.tx, edit.apiId, id)
      })
      return reply.code(204).send(null)
    },
  )
}
