import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { isReservedClaim } from './claims.ts'
import { destinationOf } from './redirect.ts'
import type { TriggerId } from './triggers.ts'

/**
 * What an Action asks for, as the server accepts it. The text comes from a process that runs customers' code, so it is
 * hostile: measured before it is parsed, checked against one schema per trigger, refused whole or applied whole.
 */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue }

const MAX_COMMANDS = 200
const MAX_DEPTH = 20
const MAX_CLAIM_BYTES = 100_000
const MAX_METADATA_BYTES = 32_000
/** What servers and browsers are known to take, with the token that usually travels in it. */
const MAX_ADDRESS = 8_000

const strict = { additionalProperties: false } as const
const key = Type.String({ minLength: 1, maxLength: 1000 })
const scope = Type.String({ pattern: '^[\\x21\\x23-\\x5B\\x5D-\\x7E]{1,280}$' }) // scope-token of RFC 6749 §3.3

const claim = <Name extends string>(type: Name) =>
  Type.Object({ type: Type.Literal(type), key, value: Type.Optional(Type.Unknown()) }, strict)

const factor = Type.Object({
  type: Type.String({ minLength: 1, maxLength: 60 }),
  options: Type.Optional(Type.Unknown()),
})
const factors = Type.Array(factor, { minItems: 1, maxItems: 20 })
const withFactor = <Name extends string>(type: Name) =>
  Type.Object(
    {
      type: Type.Literal(type),
      factor,
      options: Type.Optional(Type.Object({ additionalFactors: Type.Optional(Type.Array(factor, { maxItems: 20 })) })),
    },
    strict,
  )
const withFactors = <Name extends string>(type: Name) => Type.Object({ type: Type.Literal(type), factors }, strict)

const instant = Type.Number({ minimum: 0, maximum: 8.64e15 }) // milliseconds since 1970, as far as dates reach
const text = Type.String({ minLength: 1, maxLength: 255 })

/** Of metadata; null deletes. */
const textOrNothing = Type.Union([Type.String({ maxLength: 255 }), Type.Null()])

/** A refresh token's metadata has plainer names than a session's. */
const name = Type.String({ pattern: '^[A-Za-z0-9_-]{1,255}$' })

const lifespan = <Group extends 'session' | 'refreshToken', Key extends typeof text | typeof name>(
  group: Group,
  key: Key,
) =>
  [
    Type.Object({ type: Type.Literal(`${group}.setExpiresAt`), absolute: instant }, strict),
    Type.Object({ type: Type.Literal(`${group}.setIdleExpiresAt`), inactivity: instant }, strict),
    Type.Object({ type: Type.Literal(`${group}.setMetadata`), key, value: textOrNothing }, strict),
    Type.Object({ type: Type.Literal(`${group}.deleteMetadata`), key }, strict),
    Type.Object({ type: Type.Literal(`${group}.evictMetadata`) }, strict),
  ] as const

const said = Type.Optional(Type.String({ maxLength: 2000 }))
const invalid = Type.Object({ type: Type.Literal('validation.error'), errorCode: said, errorMessage: said }, strict)

const postLoginCommand = Type.Union([
  invalid,
  Type.Object({ type: Type.Literal('access.deny'), reason: said }, strict),
  claim('idToken.setCustomClaim'),
  claim('accessToken.setCustomClaim'),
  Type.Object({ type: Type.Literal('accessToken.addScope'), scope }, strict),
  Type.Object({ type: Type.Literal('accessToken.removeScope'), scope }, strict),
  claim('user.setUserMetadata'),
  claim('user.setAppMetadata'),
  claim('transaction.setMetadata'),
  Type.Object(
    {
      type: Type.Literal('multifactor.enable'),
      // Auth0's names. Which factors there are is the environment's setting; Duo is not among them.
      provider: Type.Enum(['any', 'guardian', 'google-authenticator', 'none']),
      options: Type.Optional(Type.Object({ allowRememberBrowser: Type.Optional(Type.Boolean()) })),
    },
    strict,
  ),
  withFactor('authentication.challengeWith'),
  withFactor('authentication.enrollWith'),
  withFactors('authentication.challengeWithAny'),
  withFactors('authentication.enrollWithAny'),
  Type.Object(
    {
      type: Type.Literal('authentication.recordMethod'),
      // A name of the customer's own, which none of ours can be.
      provider_url: Type.String({ pattern: '^https?://[^\\s]{1,500}$' }),
    },
    strict,
  ),
  Type.Object(
    {
      type: Type.Literal('redirect.sendUserTo'),
      url: Type.String({ maxLength: MAX_ADDRESS }),
      options: Type.Optional(
        Type.Object({
          query: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]))),
        }),
      ),
    },
    strict,
  ),
  Type.Object(
    {
      type: Type.Literal('session.revoke'),
      reason: Type.Optional(Type.String({ maxLength: 2000 })),
      options: Type.Optional(Type.Object({ preserveRefreshTokens: Type.Optional(Type.Boolean()) })),
    },
    strict,
  ),
  ...lifespan('session', text),
  Type.Object(
    { type: Type.Literal('refreshToken.revoke'), reason: Type.Optional(Type.String({ maxLength: 2000 })) },
    strict,
  ),
  ...lifespan('refreshToken', name),
])

const preUserRegistrationCommand = Type.Union([
  invalid,
  Type.Object({ type: Type.Literal('access.deny'), reason: said, userMessage: said }, strict),
  claim('user.setUserMetadata'),
  claim('user.setAppMetadata'),
])

const credentialsExchangeCommand = Type.Union([
  Type.Object(
    {
      type: Type.Literal('access.deny'),
      code: Type.Enum(['invalid_scope', 'invalid_request', 'server_error']),
      reason: Type.Optional(Type.String({ maxLength: 2000 })),
    },
    strict,
  ),
  claim('accessToken.setCustomClaim'),
  Type.Object({ type: Type.Literal('transaction.addTargetScope'), scope }, strict),
  Type.Object({ type: Type.Literal('transaction.removeTargetScope'), scope }, strict),
  Type.Object(
    { type: Type.Literal('transaction.setTargetScopes'), scopes: Type.Array(scope, { maxItems: 1000 }) },
    strict,
  ),
  Type.Object({ type: Type.Literal('transaction.clearTargetScopes') }, strict),
])

type Checked =
  | Static<typeof postLoginCommand>
  | Static<typeof preUserRegistrationCommand>
  | Static<typeof credentialsExchangeCommand>
type WithJson<Command> = Command extends { value?: unknown } ? Omit<Command, 'value'> & { value?: JsonValue } : Command

/** One recorded call of an `api`. A missing `value` means that the action passed `undefined`. */
export type Command = WithJson<Checked>

const nothing = Compile(Type.Array(Type.Unknown(), { maxItems: 0 }))

const schemas: Record<
  TriggerId,
  { Check(value: unknown): boolean; Errors(value: unknown): { message: string; instancePath: string }[] }
> = {
  'post-login': Compile(Type.Array(postLoginCommand, { maxItems: MAX_COMMANDS })),
  'credentials-exchange': Compile(Type.Array(credentialsExchangeCommand, { maxItems: MAX_COMMANDS })),
  'pre-user-registration': Compile(Type.Array(preUserRegistrationCommand, { maxItems: MAX_COMMANDS })),
  'post-user-registration': nothing,
  'post-change-password': nothing,
}

export type Parsed = { ok: true; commands: Command[]; dropped: string[] } | { ok: false; detail: string }

/** Reads the command list of one action. `dropped` names the reserved claims that were left out. */
export function parseCommands(trigger: TriggerId, text: string, limits: { outputBytes: number }): Parsed {
  const bytes = Buffer.byteLength(text)
  if (bytes > limits.outputBytes) return refuse(`the commands take ${bytes} bytes, more than ${limits.outputBytes}`)
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    return refuse('the commands are not JSON')
  }
  if (!Array.isArray(list)) return refuse('the commands are not a list')
  if (list.length > MAX_COMMANDS) return refuse(`${list.length} commands, more than ${MAX_COMMANDS}`)
  const flaw = flawOf(list, 0)
  if (flaw) return refuse(flaw)
  if (!schemas[trigger].Check(list)) {
    const first = schemas[trigger].Errors(list)[0]
    return refuse(`a command does not fit the trigger ${trigger}${first ? ` at ${first.instancePath || '/'}` : ''}`)
  }
  const commands: Command[] = []
  const dropped: string[] = []
  for (const command of list as Command[]) {
    if (command.type === 'redirect.sendUserTo') {
      const destination = destinationOf(command)
      if (!destination) return refuse(`redirect.sendUserTo: "${command.url.slice(0, 200)}" is no http or https address`)
      if (destination.length > MAX_ADDRESS) return refuse(`redirect.sendUserTo: more than ${MAX_ADDRESS} characters`)
    }
    if (isClaim(command) && isReservedClaim(command.key)) dropped.push(command.key)
    else commands.push(command)
  }
  return { ok: true, commands, dropped }
}

const refuse = (detail: string): Parsed => ({ ok: false, detail })

const isClaim = (command: Command): command is Extract<Command, { type: `${string}.setCustomClaim` }> =>
  command.type === 'idToken.setCustomClaim' || command.type === 'accessToken.setCustomClaim'

/** A claim, or a piece of metadata. */
type Sized = Exclude<Extract<Command, { key: string }>, { type: `${string}.deleteMetadata` }>

const isSized = (command: Command): command is Sized => 'key' in command && !command.type.endsWith('.deleteMetadata')

/** Depth, because a deep value overflows the stack of whatever serialises it later; `__proto__`, because of merges. */
function flawOf(value: unknown, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (depth > MAX_DEPTH) return `a value is nested deeper than ${MAX_DEPTH} levels`
  for (const name of Object.keys(value)) {
    if (name === '__proto__') return 'a value has a key "__proto__"'
    const flaw = flawOf((value as Record<string, unknown>)[name], depth + 1)
    if (flaw) return flaw
  }
  // A key of a claim or of metadata is a property name later, too.
  return 'key' in value && value.key === '__proto__' ? 'a key is "__proto__"' : undefined
}

/**
 * Limits on what a whole chain of actions asks for, as Auth0 has them: for the claims of each token, and for each kind of
 * metadata. What a later command replaces does not count, and neither does a claim that is left out.
 *
 * @returns what is too much, or nothing
 */
export function excessOf(commands: readonly Command[]): string | undefined {
  const last = new Map<string, Sized>()
  for (const command of commands) if (isSized(command)) last.set(`${command.type} ${command.key}`, command)
  const sizes = new Map<string, number>()
  for (const command of last.values()) {
    const { type, key, value = null } = command
    if (isClaim(command) && value === null) continue
    const size = Buffer.byteLength(key) + Buffer.byteLength(JSON.stringify(value))
    sizes.set(type, (sizes.get(type) ?? 0) + size)
  }
  for (const [type, size] of sizes) {
    const limit = type.endsWith('.setCustomClaim') ? MAX_CLAIM_BYTES : MAX_METADATA_BYTES
    if (size > limit) return `${type} was given ${size} bytes in all, more than ${limit}`
  }
  return undefined
}
