/**
 * Actions: code of customers that runs at a sign-in. An action is a draft that is edited; deploying makes a numbered
 * snapshot of it, and only a deployed snapshot ever runs. Bindings (bindings/) say which run at a trigger, and in what
 * order.
 */
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import { newId } from '@tenantry/kernel/id.ts'
import Type from 'typebox'
import { refusals } from '../management-api.ts'
import { pageOf } from '../paging.ts'
import { FreeForm } from '../wire.ts'
import { readDependencies } from './dependencies.ts'
import { type ActionsDependencies, check, deployDraft } from './deployment.ts'
import {
  checkAction,
  createShow,
  draft,
  openActionSecrets,
  problems,
  requireTrigger,
  sealActionSecrets,
} from './rules.ts'
import { Action, ActionId, CreateAction, ListActions, TestResult, UpdateAction, Version } from './schema.ts'
import * as store from './store.ts'

const tags = ['actions']

export const actions: Slice<ActionsDependencies> = (deps) => async (app) => {
  const { database, secrets, clock } = deps

  app.get(
    '/actions/actions',
    {
      config: { scope: 'read:actions' },
      schema: {
        operationId: 'listActions',
        summary: 'List actions',
        tags,
        querystring: ListActions,
        response: {
          200: Type.Object({
            total: Type.Integer(),
            page: Type.Integer(),
            per_page: Type.Integer(),
            actions: Type.Array(Action),
          }),
          ...refusals(400),
        },
      },
    },
    async (request) => {
      const { page: number = 0, per_page = 50, installed, ...filter } = request.query
      const page = pageOf({ page: number, per_page })
      const show = createShow(secrets, request.environment.id)
      if (installed) return { total: 0, page: number, per_page, actions: [] }
      return database.inEnvironment(request.environment.id, async (tx) => {
        const { rows, total } = await store.list(tx, page, filter)
        const deployed = await store.deployedVersions(
          tx,
          rows.map((row) => row.id),
        )
        return { total, page: number, per_page, actions: rows.map((row) => show.action(row, deployed.get(row.id))) }
      })
    },
  )

  app.post(
    '/actions/actions',
    {
      config: { scope: 'create:actions' },
      schema: {
        operationId: 'createAction',
        summary: 'Create an action',
        tags,
        body: CreateAction,
        response: { 201: Action, ...refusals(400, 409, 501) },
      },
    },
    async (request, reply) => {
      const { environment, body } = request
      const made = draft({ secrets }, environment.id, body, clock.now())
      if (body.deploy) {
        await check(deps, made.code, made.trigger_id)
      }
      const shown = await database.inEnvironment(environment.id, async (tx) => {
        await store.insert(tx, environment.id, made)
        const deployed = body.deploy
          ? await store.deploy(tx, environment.id, { ...made, id: newId.uuid(), action_id: made.id })
          : undefined
        return createShow(secrets, environment.id).action(await store.get(tx, made.id), deployed)
      })
      return reply.code(201).send(shown)
    },
  )

  app.get(
    '/actions/actions/:id',
    {
      config: { scope: 'read:actions' },
      schema: {
        operationId: 'getAction',
        summary: 'Get an action',
        tags,
        params: ActionId,
        response: { 200: Action, ...refusals(400, 404) },
      },
    },
    async (request) =>
      database.inEnvironment(request.environment.id, async (tx) => {
        const row = await store.get(tx, request.params.id)
        const deployed = await store.deployedVersions(tx, [row.id])
        return createShow(secrets, request.environment.id).action(row, deployed.get(row.id))
      }),
  )

  app.patch(
    '/actions/actions/:id',
    {
      config: { scope: 'update:actions' },
      schema: {
        operationId: 'updateAction',
        summary: 'Change the draft of an action',
        tags,
        params: ActionId,
        body: UpdateAction,
        response: { 200: Action, ...refusals(400, 404, 409, 501) },
      },
    },
    async (request) => {
      const { environment, body: asked } = request
      return database.inEnvironment(environment.id, async (tx) => {
        const row = await store.lock(tx, request.params.id)
        checkAction(asked, row.trigger_id)
        const now = clock.now()
        await store.save(tx, {
          ...row,
          name: asked.name ?? row.name,
          trigger_version: asked.supported_triggers?.[0]?.version ?? row.trigger_version,
          code: asked.code ?? row.code,
          runtime: asked.runtime ?? row.runtime,
          dependencies: asked.dependencies ? readDependencies(asked.dependencies) : row.dependencies,
          secrets: asked.secrets
            ? sealActionSecrets(secrets, environment.id, row.id, asked.secrets, row.secrets, now)
            : row.secrets,
          updated_at: now,
        })
        const deployed = await store.deployedVersions(tx, [row.id])
        return createShow(secrets, environment.id).action(await store.get(tx, row.id), deployed.get(row.id))
      })
    },
  )

  app.delete(
    '/actions/actions/:id',
    {
      config: { scope: 'delete:actions' },
      schema: {
        operationId: 'deleteAction',
        summary: 'Delete an action with its versions',
        tags,
        params: ActionId,
        querystring: Exact({ force: Type.Optional(Type.Boolean()) }),
        response: { 204: Type.Null(), ...refusals(400, 404, 409) },
      },
    },
    async (request, reply) => {
      const gone = await database.inEnvironment(request.environment.id, (tx) =>
        store.remove(tx, request.params.id, { force: request.query.force === true }),
      )
      if (!gone) throw problems.inexistent_action()
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/actions/actions/:id/deploy',
    {
      config: { scope: 'create:actions' },
      schema: {
        operationId: 'deployAction',
        summary: 'Deploy the draft of an action as a new version',
        tags,
        params: ActionId,
        response: { 200: Version, ...refusals(400, 404, 409) },
      },
    },
    async (request) => {
      const { action, version } = await deployDraft(deps, request.environment.id, request.params.id)
      return createShow(secrets, request.environment.id).version(action, version)
    },
  )

  // Running a draft is as powerful as editing one, so it needs that scope.
  app.post(
    '/actions/actions/:id/test',
    {
      config: { scope: 'create:actions' },
      schema: {
        operationId: 'testAction',
        summary: 'Run the draft of an action with a given event; nothing that it asks for is done',
        tags,
        params: ActionId,
        body: Exact({ payload: FreeForm }),
        response: { 200: Type.Object({ payload: TestResult }), ...refusals(400, 404) },
      },
    },
    async (request) => {
      const { environment, params, body } = request
      const draft = await database.inEnvironment(environment.id, (tx) => store.get(tx, params.id))
      const outcome = await deps.run({
        trigger: requireTrigger(draft.trigger_id).id,
        // A place of its own, so that trying code out cannot hold up the sign-ins of the environment.
        environmentId: `${environment.id} tests`,
        actions: [
          {
            actionId: draft.id,
            versionId: 'draft',
            name: draft.name,
            code: draft.code,
            secrets: openActionSecrets(secrets, environment.id, draft.id, draft.secrets),
          },
        ],
        event: body.payload,
        depth: environment.actionsDeep,
      })
      const logs = outcome.logs.flatMap(({ lines }) => lines)
      if (outcome.ok) return { payload: { status: 'success', commands: outcome.commands, logs, errors: [] } }
      const errors = [{ id: outcome.reason, msg: outcome.detail }]
      return { payload: { status: 'error', commands: [], logs, errors } }
    },
  )
}
