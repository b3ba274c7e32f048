/**
 * From draft to what runs. The code is loaded once in the sandbox before anything is written, outside of a transaction,
 * since that takes as long as it takes.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { newId } from '@tenantry/kernel/id.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { ActionRunner } from '../../actions/runner.ts'
import type { TriggerId } from '../../actions/triggers.ts'
import { problems, requireTrigger } from './rules.ts'
import * as store from './store.ts'

/** Loads code in the sandbox and looks for its handler; `message` tells the author what is wrong. */
export type CheckCode = (code: string, trigger: TriggerId) => Promise<{ ok: true } | { ok: false; message: string }>

export interface ActionsDependencies {
  database: Database
  secrets: Secrets
  clock: Clock
  checkCode: CheckCode
  /** Runs a draft for whoever writes it; nothing that it asks for is done. */
  run: ActionRunner['run']
}

type Dependencies = Omit<ActionsDependencies, 'secrets' | 'run'>

interface Deployed {
  action: store.ActionRow
  version: store.VersionRow
}

/** @throws Problem `inexistent_action`, `invalid_action_code`, `action_changed` */
export async function deployDraft(deps: Dependencies, environmentId: string, id: string): Promise<Deployed> {
  const draft = await deps.database.inEnvironment(environmentId, (tx) => store.get(tx, id))
  await check(deps, draft.code, draft.trigger_id)
  return deps.database.inEnvironment(environmentId, async (tx) => {
    const action = await store.lock(tx, id)
    // What was checked is what runs.
    if (action.code !== draft.code) throw problems.action_changed()
    return write(deps, tx, environmentId, action)
  })
}

/**
 * An earlier version as a new one. With `updateDraft` it also becomes what is edited next.
 *
 * @throws Problem `inexistent_action`, `inexistent_action_version`, `invalid_action_code`
 */
export async function deployVersion(
  deps: Dependencies,
  environmentId: string,
  id: string,
  versionId: string,
  { updateDraft }: { updateDraft: boolean },
): Promise<Deployed> {
  const { earlier, trigger } = await deps.database.inEnvironment(environmentId, async (tx) => ({
    trigger: (await store.get(tx, id)).trigger_id,
    earlier: await store.getVersion(tx, id, versionId),
  }))
  await check(deps, earlier.code, trigger)
  return deps.database.inEnvironment(environmentId, async (tx) => {
    const action = await store.lock(tx, id)
    const { code, runtime, dependencies, secrets } = earlier
    if (updateDraft)
      await store.save(tx, { ...action, code, runtime, dependencies, secrets, updated_at: deps.clock.now() })
    return write(deps, tx, environmentId, { id, code, runtime, dependencies, secrets })
  })
}

/** @throws Problem `invalid_action_code` */
export async function check(
  { checkCode }: Pick<Dependencies, 'checkCode'>,
  code: string,
  triggerId: string,
): Promise<void> {
  const checked = await checkCode(code, requireTrigger(triggerId).id)
  if (!checked.ok) throw problems.invalid_action_code({ facts: { reason: checked.message } })
}

async function write(
  { clock }: Dependencies,
  tx: Parameters<typeof store.deploy>[0],
  environmentId: string,
  {
    id,
    code,
    runtime,
    dependencies,
    secrets,
  }: Pick<store.ActionRow, 'id' | 'code' | 'runtime' | 'dependencies' | 'secrets'>,
): Promise<Deployed> {
  const snapshot = { id: newId.uuid(), action_id: id, code, runtime, dependencies, secrets, created_at: clock.now() }
  const version = await store.deploy(tx, environmentId, snapshot)
  return { action: await store.get(tx, id), version }
}
