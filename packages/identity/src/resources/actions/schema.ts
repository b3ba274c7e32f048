import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { OffsetQuery } from '../paging.ts'
import { Timestamp } from '../wire.ts'

/** All of Auth0's triggers, so that one that does not run here is told from one that does not exist. */
export const TriggerId = OneOf(
  'post-login',
  'credentials-exchange',
  'pre-user-registration',
  'post-user-registration',
  'post-change-password',
  'send-phone-message',
  'custom-phone-provider',
  'custom-email-provider',
  'password-reset-post-challenge',
  'custom-token-exchange',
  'event-stream',
  'password-hash-migration',
  'login-post-identifier',
  'signup-post-identifier',
  'post-credential-validation',
)
export type TriggerId = Static<typeof TriggerId>

/** Labels of Auth0's runtimes. All of them run on the one engine that is here; none of what differs is offered. */
export const Runtime = OneOf('node22', 'node18', 'node16', 'node12')

/** Facts about a trigger, as `GET /actions/triggers` tells them, may be sent back with it. */
const SupportedTriggerInput = Exact({
  id: TriggerId,
  version: Type.Optional(Type.String({ maxLength: 10 })),
  status: Type.Optional(Type.String({ maxLength: 20 })),
  runtimes: Type.Optional(Type.Array(Type.String({ maxLength: 20 }))),
  default_runtime: Type.Optional(Type.String({ maxLength: 20 })),
  compatible_triggers: Type.Optional(Type.Array(Type.Unknown())),
  binding_policy: Type.Optional(Type.String({ maxLength: 20 })),
})

const SecretInput = Exact({
  name: Type.String({ minLength: 1, maxLength: 128, pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }),
  value: Type.Optional(Type.String({ maxLength: 4096 })),
})
export type SecretInput = Static<typeof SecretInput>

const DependencyInput = Exact({
  name: Type.String({ minLength: 1, maxLength: 214 }),
  version: Type.Optional(Type.String({ maxLength: 100 })),
  registry_url: Type.Optional(Type.Union([Type.String({ maxLength: 200 }), Type.Null()])),
})
export type DependencyInput = Static<typeof DependencyInput>

const members = {
  name: Type.String({ minLength: 1, maxLength: 255, pattern: '^\\S(.*\\S)?$' }),
  supported_triggers: Type.Array(SupportedTriggerInput, { minItems: 1, maxItems: 1 }),
  code: Type.String(),
  dependencies: Type.Array(DependencyInput, { maxItems: 10 }),
  runtime: Runtime,
  secrets: Type.Array(SecretInput, { maxItems: 30 }),
  modules: Type.Array(Type.Unknown()),
}

export const CreateAction = Exact({
  name: members.name,
  supported_triggers: members.supported_triggers,
  code: Type.Optional(members.code),
  dependencies: Type.Optional(members.dependencies),
  runtime: Type.Optional(members.runtime),
  secrets: Type.Optional(members.secrets),
  modules: Type.Optional(members.modules),
  deploy: Type.Optional(Type.Boolean()),
})
export type CreateAction = Static<typeof CreateAction>

export const UpdateAction = Exact({
  name: Type.Optional(members.name),
  supported_triggers: Type.Optional(members.supported_triggers),
  code: Type.Optional(members.code),
  dependencies: Type.Optional(members.dependencies),
  runtime: Type.Optional(members.runtime),
  secrets: Type.Optional(members.secrets),
  modules: Type.Optional(members.modules),
})
export type UpdateAction = Static<typeof UpdateAction>

const SupportedTrigger = Type.Object({ id: Type.String(), version: Type.String() })
const Secret = Type.Object({ name: Type.String(), updated_at: Type.String() })
const Dependencies = Type.Array(Type.Object({ name: Type.String(), version: Type.String() }))

const base = {
  id: Type.String(),
  name: Type.String(),
  supported_triggers: Type.Array(SupportedTrigger),
  all_changes_deployed: Type.Boolean(),
  created_at: Timestamp,
  updated_at: Timestamp,
}

const version = {
  id: Type.String(),
  action_id: Type.String(),
  code: Type.String(),
  dependencies: Dependencies,
  deployed: Type.Boolean(),
  runtime: Type.String(),
  secrets: Type.Array(Secret),
  status: Type.String(),
  number: Type.Integer(),
  built_at: Timestamp,
  created_at: Timestamp,
  updated_at: Timestamp,
  supported_triggers: Type.Array(SupportedTrigger),
}
export const Version = Type.Object({ ...version, action: Type.Optional(Type.Object(base)) })

export const Action = Type.Object({
  ...base,
  code: Type.String(),
  dependencies: Dependencies,
  runtime: Type.String(),
  secrets: Type.Array(Secret),
  status: Type.String(),
  deployed_version: Type.Optional(Type.Object(version)),
})

export const Binding = Type.Object({
  id: Type.String(),
  trigger_id: Type.String(),
  display_name: Type.String(),
  action: Action,
  created_at: Timestamp,
  updated_at: Timestamp,
})

export const Trigger = Type.Object({
  id: Type.String(),
  version: Type.String(),
  status: Type.String(),
  runtimes: Type.Array(Type.String()),
  default_runtime: Type.String(),
  compatible_triggers: Type.Array(SupportedTrigger),
  binding_policy: Type.String(),
})

export const ListActions = Exact({
  triggerId: Type.Optional(TriggerId),
  actionName: Type.Optional(Type.String({ maxLength: 255 })),
  deployed: Type.Optional(Type.Boolean()),
  /** Actions that come with an integration; there are none. */
  installed: Type.Optional(Type.Boolean()),
  page: OffsetQuery.page,
  per_page: OffsetQuery.per_page,
})
export const PageQuery = Exact({ page: OffsetQuery.page, per_page: OffsetQuery.per_page })

export const ActionId = Exact({ id: Type.String({ maxLength: 64 }) })
export const VersionPath = Exact({ id: Type.String({ maxLength: 64 }), version_id: Type.String({ maxLength: 64 }) })
export const TriggerPath = Exact({ trigger_id: TriggerId })

export const UpdateBindings = Exact({
  bindings: Type.Array(
    Exact({
      ref: Exact({
        type: Type.Union([Type.Literal('action_id'), Type.Literal('action_name'), Type.Literal('binding_id')]),
        value: Type.String({ minLength: 1, maxLength: 255 }),
      }),
      display_name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    }),
    { maxItems: 20 },
  ),
})
export type UpdateBindings = Static<typeof UpdateBindings>

/** What a draft did: the commands it gave, in order, or why it failed. */
export const TestResult = Type.Object({
  status: OneOf('success', 'error'),
  commands: Type.Array(Type.Unsafe<object>({ type: 'object', additionalProperties: true })),
  logs: Type.Array(Type.String()),
  errors: Type.Array(Type.Object({ id: Type.String(), msg: Type.String() })),
})
