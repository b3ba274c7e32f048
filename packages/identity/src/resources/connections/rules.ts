import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { defaultPolicy } from '../../upstream/database/policy.ts'
import { refuseActive, unsupported } from '../inert.ts'
import {
  inertPasswordless,
  isPasswordless,
  passwordlessMembers,
  passwordlessOptions,
  refusalOfWording,
} from './passwordless.ts'
import {
  type ConnectionOptions,
  ConnectionOptionsInput,
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

/** Before the body is checked: what another strategy's options are called is nothing to hold against them. @throws Problem */
export function refuseOtherStrategies(body: unknown): void {
  const { strategy } = (body ?? {}) as { strategy?: unknown }
  if (typeof strategy !== 'string' || strategy === 'auth0' || isPasswordless(strategy)) return
  throw unsupported(`strategy: ${strategy}`)
}

/** A new connection. @throws Problem `operation_not_supported`, `invalid_body` */
export function opened(asked: CreateConnection, now: Date): ConnectionRow {
  refuseActive(inert, asked)
  refuseOtherRealms(asked.realms, asked.name)
  return {
    id: newId.connection(),
    name: asked.name,
    display_name: asked.display_name ?? null,
    strategy: asked.strategy,
    options: optionsOf(asked.strategy, asked.options ?? {}),
    metadata: asked.metadata ?? {},
    show_as_button: false,
    is_domain_connection: asked.is_domain_connection ?? false,
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
    options: change.options ? optionsOf(row.strategy, change.options) : row.options,
    metadata: change.metadata ?? row.metadata,
    is_domain_connection: change.is_domain_connection ?? row.is_domain_connection,
    updated_at: now,
  }
}

function optionsOf(strategy: string, asked: ConnectionOptionsInput): ConnectionOptions {
  const foreign = Object.keys(asked).find((name) => !membersOf(strategy).includes(name))
  if (foreign) {
    const reason = `'options.${foreign}' does not belong to a connection of strategy ${strategy}.`
    throw problems.invalid_body({ facts: { reason } })
  }
  if (!isPasswordless(strategy)) return databaseOptions(asked)
  refuseActive(inertPasswordless, asked, 'options.')
  return passwordlessOptions(asked)
}

/** @throws Problem `invalid_body` for a template that cannot be rendered */
export async function refuseWording({ strategy, options }: ConnectionRow): Promise<void> {
  const reason = isPasswordless(strategy) ? await refusalOfWording(options) : undefined
  if (reason) throw problems.invalid_body({ facts: { reason } })
}

/** What may be said of a connection, by its strategy. */
const membersOf = (strategy: string): string[] => {
  const shared = ['disable_signup', 'brute_force_protection', ...Object.keys(inertOptions)]
  const own = Object.keys({ ...passwordlessMembers, ...inertPasswordless })
  return isPasswordless(strategy)
    ? [...shared, ...own].filter((name) => name !== (strategy === 'sms' ? 'email' : 'template'))
    : Object.keys(ConnectionOptionsInput.properties).filter((name) => shared.includes(name) || !own.includes(name))
}

function databaseOptions(asked: ConnectionOptionsInput): ConnectionOptions {
  refuseActive(inertOptions, asked, 'options.')
  const { password, passkey, ...others } = asked.authentication_methods ?? {}
  const refused = password?.enabled === false || Object.values(others).some((method) => method?.enabled)
  if (refused) throw unsupported('options.authentication_methods')
  const length = asked.validation?.username
  if (length && length.min > length.max) {
    throw problems.invalid_body({ facts: { reason: "'options.validation.username.min' is larger than its 'max'." } })
  }
  refusePasswordOptions(asked.password_options)
  return {
    passwordPolicy: asked.passwordPolicy ?? defaultPolicy,
    ...(asked.password_complexity_options ? { password_complexity_options: asked.password_complexity_options } : {}),
    ...(asked.password_no_personal_info ? { password_no_personal_info: asked.password_no_personal_info } : {}),
    ...(asked.password_dictionary ? { password_dictionary: asked.password_dictionary } : {}),
    ...(asked.password_history ? { password_history: asked.password_history } : {}),
    ...(asked.password_options ? { password_options: asked.password_options } : {}),
    ...(asked.requires_username ? { requires_username: true } : {}),
    ...(asked.validation ? { validation: asked.validation } : {}),
    ...(asked.attributes ? { attributes: asked.attributes } : {}),
    ...(asked.authentication_methods
      ? { authentication_methods: { password: { enabled: true }, passkey: { enabled: passkey?.enabled === true } } }
      : {}),
    ...(asked.passkey_options ? { passkey_options: asked.passkey_options } : {}),
    ...(asked.disable_self_service_change_password ? { disable_self_service_change_password: true } : {}),
    // As at Auth0: whoever wants no sign-up says so.
    disable_signup: asked.disable_signup ?? false,
    brute_force_protection: true,
  }
}

/** @throws Problem `operation_not_supported`, `invalid_body` */
function refusePasswordOptions(asked: ConnectionOptionsInput['password_options']): void {
  const { complexity, dictionary } = asked ?? {}
  // A password of which only the beginning counts is another one than was chosen.
  if (complexity?.max_length_exceeded === 'truncate') {
    throw unsupported('options.password_options.complexity.max_length_exceeded: truncate')
  }
  // The list that comes along has half as many words.
  if (dictionary?.default === 'en_100k') throw unsupported('options.password_options.dictionary.default: en_100k')
  if (complexity?.character_type_rule === 'three_of_four' && complexity.character_types?.length !== 4) {
    const reason = "'options.password_options.complexity.character_type_rule' three_of_four needs all four types."
    throw problems.invalid_body({ facts: { reason } })
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
