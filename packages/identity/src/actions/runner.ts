/**
 * Runs customers' Actions. The code never enters this process: it goes to a runner process, into an isolate of its own
 * environment and version, and comes back as a list of commands that is checked and then applied whole or not at all.
 *
 *   run()  →  pool (one place per environment)  →  runner process  →  isolate per (environment, version)
 *          ←  parseCommands, excessOf           ←  one JSON string ←  fresh context per invocation
 *
 * Every failure fails closed: no command of any action of the run survives.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { Egress } from '@tenantry/kernel/http/egress.ts'
import { createAdmission } from './admission.ts'
import { createActionCaches } from './caches.ts'
import { type Command, excessOf, parseCommands } from './commands.ts'
import { type ActionLimits, defaultLimits } from './limits.ts'
import { parseLogs, redactable, safeDetail, safeText } from './logs.ts'
import { createOutfitter } from './modules/outfit.ts'
import { moduleNames } from './modules/parts.ts'
import { createRunCalls } from './outside/outside.ts'
import { createPool } from './pool.ts'
import type { SendUserTo } from './redirect.ts'
import type { CallLimits, GuestPayload } from './runner/messages.ts'
import type { ActionLogger } from './runner-process.ts'
import { type Trigger, type TriggerId, triggerOf } from './triggers.ts'

export interface BoundAction {
  actionId: string
  /** Names one immutable version of the code. */
  versionId: string
  name: string
  code: string
  secrets: Record<string, string>
}

export interface Invocation {
  trigger: TriggerId
  environmentId: string
  /** In the order in which they run. */
  actions: readonly BoundAction[]
  /** Without `secrets`: each action is given its own. */
  event: Record<string, unknown>
  /** What methods with a fixed answer say in this run. */
  answers?: Readonly<Record<string, boolean>>
  /** How many Actions called one another until this run came of it; absent: none did. */
  depth?: number | undefined
  /** The person is back from where one of these actions sent them: that one goes on, then those after it. */
  resume?: Resume | undefined
}

export interface Resume {
  actionId: string
  /** What was asked for before, which counts as if it were asked for now. */
  commands: readonly Command[]
}

export interface ActionLog {
  action: string
  lines: string[]
  /** Milliseconds since the run began. */
  startedAt: number
  endedAt: number
}

export type FailureReason = 'error' | 'timeout' | 'memory' | 'invalid_output' | 'runner_lost'

export type ActionOutcome =
  | {
      ok: true
      commands: Command[]
      logs: ActionLog[]
      /** The action that sends the person away, and where to; those after it wait. */
      sentAway?: { actionId: string } & SendUserTo
    }
  | {
      ok: false
      reason: FailureReason
      /** The name of the action that failed. */
      action: string
      /** For the environment's log only; may hold the customer's own text. Never for the user who logs in. */
      detail: string
      /** Safe to show to the user, and to find this failure by. */
      correlationId: string
      logs: ActionLog[]
    }

export type CodeCheck = { ok: true } | { ok: false; message: string }

export interface ActionRunner {
  /** Runs a chain of actions. Rejects only for a trigger that does not exist and an event that is no JSON. */
  run(invocation: Invocation): Promise<ActionOutcome>
  /** Whether code loads and exports the trigger's handler: for a deployment, in the same sandbox. */
  checkCode(code: string, trigger?: TriggerId): Promise<CodeCheck>
  /** The process ids of the runners that are up now. */
  pids(): number[]
  close(): Promise<void>
}

/** Refuses to be made with an engine that has a known escape. Starts no process before the first action needs one. */
export function createActionRunner(deps: {
  logger: ActionLogger
  /** What calls of actions go through. */
  egress: Egress
  limits?: Partial<ActionLimits>
  processes?: number
}): ActionRunner {
  const limits: ActionLimits = { ...defaultLimits, ...deps.limits }
  const admission = createAdmission({ running: limits.concurrency, waiting: limits.queue })
  const pool = createPool({ logger: deps.logger, processes: deps.processes ?? 2 })
  const outfit = createOutfitter(deps.logger)
  const caches = createActionCaches()

  const callLimits = (wallMs: number): CallLimits => ({
    cpuMs: limits.cpuMs,
    wallMs,
    memoryMb: limits.memoryMb,
    outputChars: limits.outputBytes,
    calls: limits.calls,
  })

  const payloadOf = (
    trigger: Trigger,
    run: Pick<GuestPayload, 'handler' | 'event' | 'redact' | 'entropy' | 'cache'> & Pick<Invocation, 'answers'>,
  ): string =>
    JSON.stringify({
      handler: run.handler,
      continuation: trigger.continuation,
      methods: trigger.methods,
      answers: { ...trigger.answers, ...run.answers },
      absent: Object.keys(trigger.needs).filter((group) => run.event[trigger.needs[group]!] === undefined),
      unavailable: trigger.unavailable,
      event: run.event,
      callBytes: limits.callBytes,
      modules: moduleNames,
      entropy: run.entropy,
      cache: run.cache,
      redact: run.redact,
      logLines: limits.logLines,
      logChars: limits.logChars,
    } satisfies GuestPayload)

  type Step = { commands: Command[]; lines: string[] } | { reason: FailureReason; detail: string; lines: string[] }

  const runOne = async (
    trigger: Trigger,
    invocation: Invocation,
    { action, handler }: { action: BoundAction; handler: string },
    leftMs: number,
  ): Promise<Step> => {
    const refuse = (reason: FailureReason, detail: string, lines: string[] = []): Step => ({ reason, detail, lines })
    if (Buffer.byteLength(action.code) > limits.codeBytes) {
      return refuse('error', `The code is longer than ${limits.codeBytes} bytes.`)
    }
    const secrets = redactable(action.secrets)
    const event = { ...invocation.event, secrets: action.secrets }
    const key = isolateKey(invocation.environmentId, action)
    const outfitted = await outfit(key, action.code)
    if (!outfitted) return refuse('runner_lost', NO_MODULES)
    const { sources, entropy } = outfitted
    const answers = invocation.answers ?? {}
    const cache = caches.records(invocation.environmentId, trigger.id)
    const payload = payloadOf(trigger, { handler, event, redact: secrets, answers, entropy, cache })
    if (Buffer.byteLength(payload) > limits.eventBytes) {
      return refuse('error', `The event is larger than ${limits.eventBytes} bytes.`)
    }
    const wallMs = Math.ceil(Math.min(limits.wallMs, leftMs))
    const result = await pool.call(
      invocation.environmentId,
      {
        mode: 'run',
        isolateKey: key,
        code: action.code,
        payload,
        limits: callLimits(wallMs),
        sources,
        outside: () =>
          createRunCalls(deps.egress, limits, { timeoutMs: wallMs + CALL_GRACE_MS, depth: invocation.depth ?? 0 }),
      },
      leftMs,
    )
    if (result.lost) return refuse('runner_lost', result.detail)
    const { reply } = result
    const lines = parseLogs(reply.logs, secrets, { lines: limits.logLines, chars: limits.logChars })
    if (reply.status !== 'ok') return refuse(reply.status, safeDetail(reply.detail, secrets), lines)
    const parsed = parseCommands(trigger.id, reply.output, limits)
    if (!parsed.ok) return refuse('invalid_output', safeText(parsed.detail, secrets, 2048), lines)
    for (const name of parsed.dropped)
      lines.push(safeText(`The claim "${name}" is reserved and was not set.`, secrets, 300))
    if (reply.cached !== '') caches.keep(invocation.environmentId, trigger.id, reply.cached)
    return { commands: parsed.commands, lines }
  }

  const runChain = async (trigger: Trigger, invocation: Invocation, begin: number): Promise<ActionOutcome> => {
    const { actions, resume } = invocation
    const logs: ActionLog[] = []
    const resumed = resume ? actions.findIndex(({ actionId }) => actionId === resume.actionId) : -1
    // One that is bound no more cannot go on: all of them run, as if nobody had been sent away.
    const commands: Command[] = resume && resumed >= 0 ? [...resume.commands] : []
    for (const [index, action] of actions.entries()) {
      if (index < resumed) continue
      const handler = index === resumed ? trigger.continuation! : trigger.handler
      const startedAt = performance.now() - begin
      const left = limits.triggerWallMs - startedAt
      const event = commands.length > 0 ? trigger.seenAfter?.(invocation.event, commands) : undefined
      const step: Step =
        left <= 0
          ? { reason: 'timeout', detail: `The actions together ran longer than ${limits.triggerWallMs} ms.`, lines: [] }
          : await runOne(trigger, event ? { ...invocation, event } : invocation, { action, handler }, left)
      logs.push({ action: action.name, lines: step.lines, startedAt, endedAt: performance.now() - begin })
      if ('reason' in step) return failure(step.reason, action.name, step.detail, logs)
      commands.push(...step.commands)
      const excess = excessOf(commands)
      if (excess) return failure('invalid_output', action.name, excess, logs)
      if (step.commands.some(({ type }) => LAST.has(type))) break
      const away = step.commands.findLast((command) => command.type === 'redirect.sendUserTo')
      if (away) {
        const { url, options } = away
        return { ok: true, commands, logs, sentAway: { actionId: action.actionId, url, options } }
      }
    }
    return { ok: true, commands, logs }
  }

  return {
    async run(invocation) {
      const trigger = triggerOf(invocation.trigger)
      const [first] = invocation.actions
      if (!first) return { ok: true, commands: [], logs: [] }
      const begin = performance.now()
      const { environmentId, depth = 0 } = invocation
      if (depth >= limits.depth) return failure('error', first.name, tooDeep(limits.depth), [])
      // Each depth has places of its own: runs that wait for those that they called must not keep these from beginning.
      const room = `${environmentId} ${depth}`
      if (!(await admission.enter(room, limits.triggerWallMs))) {
        return failure('timeout', first.name, 'Too many actions of this environment run at once.', [])
      }
      try {
        return await runChain(trigger, invocation, begin)
      } finally {
        admission.leave(room)
      }
    },
    async checkCode(code, triggerId = 'post-login') {
      const trigger = triggerOf(triggerId)
      if (Buffer.byteLength(code) > limits.codeBytes) {
        return { ok: false, message: `The code is longer than ${limits.codeBytes} bytes.` }
      }
      if (!(await admission.enter(CHECKS, limits.triggerWallMs))) {
        return { ok: false, message: 'Too many deployments are checked at once. Try again in a few seconds.' }
      }
      const key = `check ${randomUUID()}`
      try {
        const outfitted = await outfit(key, code)
        if (!outfitted) return { ok: false, message: NO_MODULES }
        const { sources, entropy } = outfitted
        const payload = payloadOf(trigger, { handler: trigger.handler, event: {}, redact: [], entropy })
        const outside = () =>
          createRunCalls(deps.egress, limits, { timeoutMs: limits.wallMs + CALL_GRACE_MS, depth: 0 })
        const call = { mode: 'check' as const, isolateKey: key, code, payload, limits: callLimits(limits.wallMs) }
        const result = await pool.call(CHECKS, { ...call, sources, outside }, limits.triggerWallMs)
        if (result.lost) return { ok: false, message: 'The code could not be checked: its runner process was lost.' }
        return result.reply.status === 'ok' ? { ok: true } : { ok: false, message: safeDetail(result.reply.detail, []) }
      } finally {
        admission.leave(CHECKS)
      }
    },
    pids: () => pool.pids(),
    close: () => pool.close(),
  }
}

/** After an action that asked for one of these no other runs. */
const LAST: ReadonlySet<Command['type']> = new Set([
  'access.deny',
  'validation.error',
  'session.revoke',
  'refreshToken.revoke',
])

const tooDeep = (depth: number) =>
  `It was not run: ${depth} Actions have called one another through this server already. An Action that asks this server ` +
  'for a token causes the Actions of that request; let it return at once for the client that it asks with.'

const NO_MODULES = 'The modules of Actions could not be put together. The log of the server says why.'

/** A call is broken off with its run, and not a moment before: the Action would take that for an answer of the server's. */
const CALL_GRACE_MS = 1_000

/** Checks have a place of their own, so that deploying cannot hold up the logins of an environment. */
const CHECKS = ' checks'

const failure = (reason: FailureReason, action: string, detail: string, logs: ActionLog[]): ActionOutcome => ({
  ok: false,
  reason,
  action,
  detail,
  correlationId: randomUUID(),
  logs,
})

/** Lengths first, so that no two pairs share a key. The hash counts, because it is what runs. */
function isolateKey(environmentId: string, action: BoundAction): string {
  const hash = createHash('sha256').update(action.code).digest('base64url')
  return `${environmentId.length}:${environmentId}:${action.versionId.length}:${action.versionId}:${hash}`
}
