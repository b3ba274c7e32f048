import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { defaultPolicy } from '../../upstream/database/policy.ts'
import { refuseActive, unsupported } from '../inert.ts'
import {
  type ConnectionOptions,
  type ConnectionOptionsInput,
  type CreateConnection,
  inert,
  inertOptions,
  type UpdateConnection,
} from './schema.ts'
import type { ConnectionRow } from './store.ts'

export const problems = defineProblems({
  inexistent_connection: { status: 404, title: 'The connection does not exist.' },
  connection_conflict: { status: 409, title: 'A connection with this name already exists.' },
  invalid_body: { status: 400, title: '{reason}' },
})

/** A new database connection. @throws Problem `operation_not_supported`, `invalid_body` */
export function opened(asked: CreateConnection, now: Date): ConnectionRow {
  if (asked.strategy !== 'auth0') throw unsupported(`strategy: ${asked.strategy}`)
  refuseActive(inert, asked)
  refuseOtherRealms(asked.realms, asked.name)
  return {
    id: newId.connection(),
    name: asked.name,
    display_name: asked.display_name ?? null,
    strategy: asked.strategy,
    options: optionsOf(asked.options ?? {}),
    metadata: asked.metadata ?? {},
    show_as_button: false,
    is_domain_connection: false,
    created_at: now,
    updated_at: now,
  }
}

/** @throws Problem `operation_not_supported`, `invalid_body` */
export function changed(row: ConnectionRow, change: UpdateConnection, now: Date): ConnectionRow {
  refuseActive(inert, change)
  refuseOtherRealms(change.realms, row.name)
  return {
    ...row,
    display_name: change.display_name ?? row.display_name,
    options: change.options ? optionsOf(change.options) : row.options,
    metadata: change.metadata ?? row.metadata,
    updated_at: now,
  }
}

function optionsOf(asked: ConnectionOptionsInput): ConnectionOptions {
  refuseActive(inertOptions, asked, 'options.')
  const length = asked.validation?.username
  if (length && length.min > length.max) {
    throw problems.invalid_body({ facts: { reason: "'options.validation.username.min' is larger than its 'max'." } })
  }
  return {
    passwordPolicy: asked.passwordPolicy ?? defaultPolicy,
    ...(asked.password_complexity_options ? { password_complexity_options: asked.password_complexity_options } : {}),
    ...(asked.password_no_personal_info ? { password_no_personal_info: asked.password_no_personal_info } : {}),
    ...(asked.requires_username ? { requires_username: true } : {}),
    ...(asked.validation ? { validation: asked.validation } : {}),
    disable_signup: true,
    brute_force_protection: true,
  }
}

/** A database's only realm is its name; another one would be a name that no password grant finds. */
function refuseOtherRealms(realms: string[] | undefined, name: string): void {
  if (realms && (realms.length !== 1 || realms[0] !== name)) throw unsupported('realms')
}

/** A connection as the API shows it. */
export function shown(row: ConnectionRow & { enabled_clients: string[] }) {
  const { created_at: _, updated_at: __, display_name, ...rest } = row
  return { ...rest, realms: [row.name], ...(display_name === null ? {} : { display_name }) }
}
