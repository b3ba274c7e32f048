import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { isReservedClaim } from './claims.ts'
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

const strict = { additionalProperties: false } as const
const key = Type.String({ minLength: 1, maxLength: 1000 })
const scope = Type.String({ pattern: '^[\\x21\\x23-\\x5B\\x5D-\\x7E]{1,280}$' }) // scope-token of RFC 6749 §3.3

const claim = <Name extends string>(type: Name) =>
  Type.Object({ type: Type.Literal(type), key, value: Type.Optional(Type.Unknown()) }, strict)

const postLoginCommand = Type.Union([
  Type.Object({ type: Type.Literal('access.deny'), reason: Type.Optional(Type.String({ maxLength: 2000 })) }, strict),
  claim('idToken.setCustomClaim'),
  claim('accessToken.setCustomClaim'),
  Type.Object({ type: Type.Literal('accessToken.addScope'), scope }, strict),
  Type.Object({ type: Type.Literal('accessToken.removeScope'), scope }, strict),
  claim('user.setUserMetadata'),
  claim('user.setAppMetadata'),
])

type Checked = Static<typeof postLoginCommand>
type WithJson<Command> = Command extends { value?: unknown } ? Omit<Command, 'value'> & { value?: JsonValue } : Command

/** One recorded call of the post-login `api`. A missing `value` means that the action passed `undefined`. */
export type Command = WithJson<Checked>

const schemas: Record<
  TriggerId,
  { Check(value: unknown): boolean; Errors(value: unknown): { message: string; instancePath: string }[] }
> = {
  'post-login': Compile(Type.Array(postLoginCommand, { maxItems: MAX_COMMANDS })),
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
    if (isClaim(command) && isReservedClaim(command.key)) dropped.push(command.key)
    else commands.push(command)
  }
  return { ok: true, commands, dropped }
}

const refuse = (detail: string): Parsed => ({ ok: false, detail })

const isClaim = (command: Command): command is Extract<Command, { type: `${string}.setCustomClaim` }> =>
  command.type === 'idToken.setCustomClaim' || command.type === 'accessToken.setCustomClaim'

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

/** Limits on what a whole chain of actions asks for. Answers what is too much, or nothing. */
export function excessOf(commands: readonly Command[]): string | undefined {
  const sizes = new Map<string, number>()
  for (const command of commands) {
    if (!('key' in command)) continue
    const size = Buffer.byteLength(command.key) + Buffer.byteLength(JSON.stringify(command.value ?? null))
    sizes.set(command.type, (sizes.get(command.type) ?? 0) + size)
  }
  for (const [type, size] of sizes) {
    const limit = type.endsWith('.setCustomClaim') ? MAX_CLAIM_BYTES : MAX_METADATA_BYTES
    if (size > limit) return `${type} was given ${size} bytes in all, more than ${limit}`
  }
  return undefined
}
