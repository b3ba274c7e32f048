/**
 * Changes to an API. One at a time: its row is locked, the change is made, stages that deploy by themselves get a
 * snapshot of the result, and all of it becomes visible at once.
 */
import { randomInt } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Definition } from '../api.ts'
import { apiFault } from '../deployment.ts'
import type { Caller } from './access-keys/access-keys.ts'
import * as apis from './apis/store.ts'
import { apiOf, definitionOf } from './compose.ts'
import * as deployments from './deployments/store.ts'
import type { ControlPlaneDeps } from './operation.ts'
import * as parts from './parts-store.ts'
import { problems } from './problems.ts'
import * as stages from './stages/store.ts'

export interface Editing extends parts.Within {
  readonly tx: Tx
  readonly caller: Caller
  readonly api: apis.StoredApi
}

export type EditingDeps = Pick<ControlPlaneDeps, 'database' | 'clock' | 'region' | 'guard'>

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Short ids as Amazon's; the first is a letter, since an API's id is a label of a host. */
export const shortId = (length: number): string =>
  Array.from({ length }, (_, i) => alphabet[randomInt(i === 0 ? 26 : 36)]).join('')

export const inEnvironment = <T>({ database }: EditingDeps, caller: Caller, work: (tx: Tx) => Promise<T>): Promise<T> =>
  database.inEnvironment(caller.environmentId, work)

/** @throws Problem NotFoundException */
export const readApi = <T>(
  deps: EditingDeps,
  caller: Caller,
  apiId: string,
  work: (editing: Editing) => Promise<T>,
): Promise<T> => inEnvironment(deps, caller, async (tx) => work(editing(tx, caller, await apis.find(tx, apiId), apiId)))

/** A new API with its first parts, all at once or not at all. */
export const createApi = (
  deps: EditingDeps,
  caller: Caller,
  insert: (tx: Tx) => Promise<apis.StoredApi>,
  work: (editing: Editing) => Promise<void>,
): Promise<apis.StoredApi> =>
  inEnvironment(deps, caller, async (tx) => {
    const api = await insert(tx)
    const edit = editing(tx, caller, api, api.id)
    await work(edit)
    await deployAutomatically(deps, edit)
    return api
  })

/** @throws Problem NotFoundException, and whatever `work` throws; then nothing has changed */
export const editApi = <T>(
  deps: EditingDeps,
  caller: Caller,
  apiId: string,
  work: (editing: Editing) => Promise<T>,
): Promise<T> =>
  inEnvironment(deps, caller, async (tx) => {
    const edit = editing(tx, caller, await apis.lock(tx, apiId), apiId)
    const result = await work(edit)
    await deployAutomatically(deps, edit)
    return result
  })

function editing(tx: Tx, caller: Caller, api: apis.StoredApi | undefined, apiId: string): Editing {
  if (api === undefined) {
    const reason = `Invalid API identifier specified ${caller.accountId}:${apiId}`
    throw problems.NotFoundException({ facts: { reason } })
  }
  return { tx, caller, api, apiId, environmentId: caller.environmentId }
}

/** The API as it is configured now, whatever is deployed; or why it cannot be deployed. */
export async function currentDefinition({ tx, apiId }: Editing): Promise<Definition | string> {
  const api = (await apis.find(tx, apiId))!
  const [integrations, authorizers, routes] = await Promise.all([
    parts.all(tx, 'integrations', apiId),
    parts.all(tx, 'authorizers', apiId),
    parts.all(tx, 'routes', apiId),
  ])
  return definitionOf(api, { integrations, authorizers, routes })
}

/** Why a stage could not serve a definition; `null`: it could. */
export const stageFault = (
  { region, guard }: EditingDeps,
  { caller: { accountId } }: Editing,
  definition: Definition,
  stage: stages.StoredStage,
): string | null => apiFault(apiOf(definition, stage, { accountId, region, endpoints: [] }), guard)

export const deployedMessage = (id: string): string => `Successfully deployed stage with deployment ID '${id}'`

export const failedMessage = (fault: string): string => `Deployment attempt failed: ${fault}`

async function deployAutomatically(deps: EditingDeps, edit: Editing): Promise<void> {
  const { tx, apiId } = edit
  const automatic = (await stages.all(tx, apiId)).filter((stage) => stage.is_auto_deploy)
  if (automatic.length === 0) return
  const definition = await currentDefinition(edit)
  const faults = automatic.map((stage) =>
    typeof definition === 'string' ? definition : stageFault(deps, edit, definition, stage),
  )
  const served = await Promise.all(
    automatic.map(({ deployment_id: id }) => (id === null ? undefined : deployments.find(tx, apiId, id))),
  )
  const isServed = served.every((deployment) => isDeepStrictEqual(deployment?.definition, definition))
  const isSaid = automatic.every(({ deployment_message }) => deployment_message?.startsWith('Successfully') === true)
  if (isServed && isSaid && faults.every((fault) => fault === null)) return
  const now = deps.clock.now()
  // One that some stage can serve has not failed; each stage says for itself what became of it there.
  const failure = faults.every((fault) => fault !== null) ? faults[0]! : null
  const deployment = await deployments.insert(tx, edit, {
    id: shortId(6),
    definition: failure === null ? (definition as Definition) : null,
    is_auto_deployed: true,
    description: 'Automatic deployment triggered by changes to the Api configuration',
    status_message: failure,
    created_at: now,
  })
  for (const [i, stage] of automatic.entries()) {
    const fault = faults[i] ?? null
    await stages.update(tx, {
      ...stage,
      // What was served is served on until something better can be.
      deployment_id: fault === null ? deployment.id : stage.deployment_id,
      deployment_message: fault === null ? deployedMessage(deployment.id) : failedMessage(fault),
      updated_at: now,
    })
  }
  await deployments.removeUnused(tx, apiId)
}
