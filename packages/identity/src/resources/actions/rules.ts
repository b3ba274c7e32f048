import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { type Trigger, triggers } from '../../actions/triggers.ts'
import { problems as apiProblems } from '../management-api.ts'
import { readDependencies } from './dependencies.ts'
import type { CreateAction, SecretInput, UpdateAction } from './schema.ts'
import type { ActionRow, BindingRow, Draft, VersionRow } from './store.ts'

export const problems = defineProblems({
  inexistent_action: { status: 404, title: 'The action does not exist.' },
  inexistent_action_version: { status: 404, title: 'This version of the action does not exist.' },
  action_conflict: { status: 409, title: 'An action with this name already exists.' },
  action_bound: {
    status: 409,
    title: 'The action is bound to a trigger. Remove the binding first, or delete with force=true.',
  },
  action_changed: { status: 409, title: 'The action was changed while it was being deployed. Deploy it again.' },
  invalid_action_code: { status: 400, title: 'The code cannot be deployed: {reason}' },
})

const CODE_BYTES = 100_000

/** Every version of every trigger that runs here, as the API shows them. */
export const shownTriggers = triggers.flatMap(({ id, versions, runtimes }) =>
  versions.map((version) => ({
    id,
    version,
    status: version === versions[0] ? 'CURRENT' : 'DEPRECATED',
    runtimes: [...runtimes],
    default_runtime: runtimes[0],
    compatible_triggers: versions.filter((other) => other !== version).map((other) => ({ id, version: other })),
    binding_policy: 'trigger-bound',
  })),
)

const refuse = (reason: string) => bodyProblems.invalid_body({ facts: { reason } })
const unsupported = (what: string) => apiProblems.operation_not_supported({ facts: { what } })

/** @throws Problem `operation_not_supported` for a trigger that nothing here would ever run */
export function requireTrigger(id: string): Trigger {
  const trigger = triggers.find((candidate) => candidate.id === id)
  if (trigger) return trigger
  const known = triggers.map((candidate) => candidate.id).join(', ')
  throw unsupported(`The trigger ${id} is not supported. Actions run at: ${known}.`)
}

/**
 * @param present the trigger of the action that is changed: another one would run code that was written for this one
 * @throws Problem `invalid_body`, `operation_not_supported`
 */
export function checkAction(asked: UpdateAction, present?: string): void {
  const named = asked.supported_triggers?.[0]
  if (named) {
    const { id, versions } = requireTrigger(named.id)
    if (present !== undefined && id !== present) throw refuse('The trigger of an action cannot be changed.')
    if (!versions.includes(named.version ?? versions[0])) {
      throw unsupported(`Version ${named.version} of the trigger ${id} is not supported. Use ${versions[0]}.`)
    }
  }
  if (asked.modules?.length) throw unsupported('Modules are not supported. Put the code into the action.')
  if (asked.code !== undefined && Buffer.byteLength(asked.code) > CODE_BYTES) {
    throw refuse(`Payload validation error: 'code' is larger than ${CODE_BYTES} bytes.`)
  }
}

export function draft(deps: { secrets: Secrets }, environmentId: string, asked: CreateAction, now: Date): Draft {
  checkAction(asked)
  const id = newId.uuid()
  const named = asked.supported_triggers[0]!
  const trigger = requireTrigger(named.id)
  return {
    id,
    name: asked.name,
    trigger_id: trigger.id,
    trigger_version: named.version ?? trigger.versions[0],
    code: asked.code ?? '',
    runtime: asked.runtime ?? trigger.runtimes[0],
    dependencies: readDependencies(asked.dependencies ?? []),
    secrets: sealActionSecrets(deps.secrets, environmentId, id, asked.secrets ?? [], null, now),
    created_at: now,
    updated_at: now,
  }
}

interface StoredSecret {
  name: string
  value: string
  updated_at: string
}

/** Versions keep the ciphertext of the draft they were made of, so the context names the action and no version. */
const context = (environmentId: string, actionId: string) => `${environmentId}/action/${actionId}/secrets`

const openStored = (secrets: Secrets, environmentId: string, actionId: string, sealed: Uint8Array | null) =>
  sealed ? (JSON.parse(secrets.open(context(environmentId, actionId), sealed)) as StoredSecret[]) : []

/**
 * The list replaces what was there; a secret without a value keeps the one it has, since nobody can read it to send it
 * back.
 *
 * @throws Problem `invalid_body`
 */
export function sealActionSecrets(
  secrets: Secrets,
  environmentId: string,
  actionId: string,
  asked: SecretInput[],
  current: Uint8Array | null,
  now: Date,
): Uint8Array | null {
  const kept = openStored(secrets, environmentId, actionId, current)
  const list = asked.map(({ name, value }): StoredSecret => {
    if (asked.filter((other) => other.name === name).length > 1) throw refuse(`The secret ${name} is given twice.`)
    if (value !== undefined) return { name, value, updated_at: now.toISOString() }
    const stored = kept.find((secret) => secret.name === name)
    if (!stored) throw refuse(`The secret ${name} is new and has no value.`)
    return stored
  })
  return list.length === 0 ? null : secrets.seal(context(environmentId, actionId), JSON.stringify(list))
}

/** What the action sees as `event.secrets`; for the runner alone. */
export const openActionSecrets = (
  secrets: Secrets,
  environmentId: string,
  actionId: string,
  sealed: Uint8Array | null,
): Record<string, string> =>
  Object.fromEntries(openStored(secrets, environmentId, actionId, sealed).map(({ name, value }) => [name, value]))

/** Renders rows for the wire; values of secrets never come back. */
export function createShow(secrets: Secrets, environmentId: string) {
  const names = (actionId: string, sealed: Uint8Array | null) =>
    openStored(secrets, environmentId, actionId, sealed).map(({ name, updated_at }) => ({ name, updated_at }))
  const base = (row: ActionRow) => ({
    id: row.id,
    name: row.name,
    supported_triggers: [{ id: row.trigger_id, version: row.trigger_version }],
    all_changes_deployed: row.all_changes_deployed,
    created_at: row.created_at,
    updated_at: row.updated_at,
  })
  const version = (action: ActionRow, row: VersionRow) => ({
    id: row.id,
    action_id: row.action_id,
    code: row.code,
    dependencies: row.dependencies,
    deployed: row.deployed,
    runtime: row.runtime,
    secrets: names(row.action_id, row.secrets),
    status: 'built',
    number: row.number,
    built_at: row.created_at,
    created_at: row.created_at,
    updated_at: row.created_at,
    supported_triggers: [{ id: action.trigger_id, version: action.trigger_version }],
  })
  const action = (row: ActionRow, deployed: VersionRow | undefined) => ({
    ...base(row),
    code: row.code,
    dependencies: row.dependencies,
    runtime: row.runtime,
    secrets: names(row.id, row.secrets),
    status: 'built',
    ...(deployed ? { deployed_version: version(row, deployed) } : {}),
  })
  return {
    action,
    version: (row: ActionRow, shown: VersionRow) => ({ ...version(row, shown), action: base(row) }),
    binding: ({
      binding,
      row,
      deployed,
    }: {
      binding: BindingRow
      row: ActionRow
      deployed: VersionRow | undefined
    }) => {
      const { action_id: _, ...rest } = binding
      return { ...rest, action: action(row, deployed) }
    },
  }
}
