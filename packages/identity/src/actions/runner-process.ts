import { spawn } from 'node:child_process'
import type { Launch } from './launch.ts'
import type { RunCalls } from './outside/outside.ts'
import { receiveLines, sendLine } from './runner/channel.ts'
import type { DroppedCall, OutsideCall, PartSource, RunnerCall, RunnerReply, ToRunner } from './runner/messages.ts'

/** Narrow on purpose: any structured logger fits. */
export interface ActionLogger {
  warn(facts: Record<string, unknown>, message: string): void
  error(facts: Record<string, unknown>, message: string): void
}

/**
 * `retryable`: the call never began, or was cut off because another call ruined the process; never after it has called
 * out, since what that did would be done twice. `guilty`: this call is the one that ruined it.
 */
export type CallResult =
  | { lost: false; reply: RunnerReply }
  | { lost: true; retryable: boolean; guilty: boolean; detail: string }

export interface RunnerProcess {
  readonly pid: number
  /** False once the process is gone, retired or closing. */
  usable(): boolean
  /**
   * @param sources of the parts that the call names
   * @param outside makes the calls of this run, and is told when the run is over
   */
  call(call: RunnerCall, sources: readonly PartSource[], outside: RunCalls): Promise<CallResult>
  close(): Promise<void>
}

const START_MS = 30_000
/** What a runner may take beyond the wall limit of a call before it counts as silent. */
const GRACE_MS = 2_500
/** How long the other calls of a ruined process may take to finish. */
const DRAIN_MS = 500
const CLOSE_MS = 2_000
/** 320 KB of commands and 200 KB of console lines, or the request of a call to the outside, escaped at its worst. */
const MAX_REPLY_CHARS = 4_000_000
const STDERR_CHARS = 2_000

interface Pending {
  started: boolean
  calledOut: boolean
  outside: RunCalls
  settle(result: CallResult): void
  timer: NodeJS.Timeout
}

/** Starts one runner process and resolves when it is ready; rejects when it does not come up. */
export function startRunnerProcess(launch: Launch, logger: ActionLogger): Promise<RunnerProcess> {
  const child = spawn(launch.command, launch.args, {
    env: {},
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(launch.uid === undefined ? {} : { uid: launch.uid, gid: launch.gid }),
  })
  const pending = new Map<number, Pending>()
  const told = new Set<string>()
  const tell = (message: ToRunner) => sendLine(child.stdin, message)
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let usable = true
  let guilty: number | undefined
  let stderr = ''
  let drain: NodeJS.Timeout | undefined

  const kill = () => {
    usable = false
    child.kill('SIGKILL')
  }
  const finish = (id: number, result: CallResult): void => {
    const call = pending.get(id)
    if (!call) return
    pending.delete(id)
    clearTimeout(call.timer)
    call.outside.end()
    call.settle(result)
  }
  const retire = (id: number): void => {
    usable = false
    guilty = id
    logger.warn(
      { pid: child.pid },
      'an Action ran out of memory in a way that its engine cannot stop; the runner process is replaced',
    )
    drain = setTimeout(kill, pending.size > 0 ? DRAIN_MS : 0)
  }

  return new Promise((resolve, reject) => {
    const startTimer = setTimeout(() => {
      kill()
      reject(new Error(`a runner process did not start within ${START_MS} ms`))
    }, START_MS)

    const running: RunnerProcess = {
      pid: child.pid ?? 0,
      usable: () => usable,
      call: (call, sources, outside) =>
        new Promise((settle) => {
          const timer = setTimeout(() => {
            logger.error({ pid: child.pid }, 'a runner process fell silent and is killed')
            guilty = call.id
            kill()
            finish(call.id, { lost: true, retryable: false, guilty: true, detail: 'The runner process fell silent.' })
          }, call.limits.wallMs + GRACE_MS)
          pending.set(call.id, { started: false, calledOut: false, outside, settle, timer })
          for (const part of sources) {
            if (!told.has(part.name)) tell({ part })
            told.add(part.name)
          }
          tell({ run: call })
        }),
      async close() {
        usable = false
        child.stdin.end()
        const timer = setTimeout(kill, CLOSE_MS)
        await gone
        clearTimeout(timer)
      },
    }

    const hear = (text: string): void => {
      const message = JSON.parse(text) as Heard
      if (message.ready === true) {
        clearTimeout(startTimer)
        resolve(running)
      } else if (typeof message.started === 'number') {
        const call = pending.get(message.started)
        if (call) call.started = true
      } else if (isOutsideCall(message.call)) {
        const { id, call: number, request } = message.call
        const call = pending.get(id)
        if (!call) return
        call.calledOut = true
        void call.outside.answer(number, request).then((answer) => {
          if (pending.get(id) === call) tell({ answer: { id, call: number, answer } })
        })
      } else if (typeof message.drop?.id === 'number' && typeof message.drop.call === 'number') {
        pending.get(message.drop.id)?.outside.drop(message.drop.call)
      } else if (isReply(message.reply)) {
        if (message.reply.tainted && usable) retire(message.reply.id)
        finish(message.reply.id, { lost: false, reply: message.reply })
        if (drain && pending.size === 0) kill()
      } else throw new Error('unknown message')
    }
    receiveLines(child.stdout, MAX_REPLY_CHARS, {
      line: (text) => {
        try {
          hear(text)
        } catch (error) {
          logger.error({ pid: child.pid, error }, 'a runner process spoke nonsense and is killed')
          kill()
        }
      },
      tooLong: kill,
    })
    child.stdin.on('error', () => {}) // The exit is handled below; a write may lose the race against it.
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_CHARS)
    })
    child.on('error', (error) => {
      usable = false
      clearTimeout(startTimer)
      reject(error)
    })
    child.on('close', (code, signal) => {
      const expected = !usable
      usable = false
      clearTimeout(startTimer)
      clearTimeout(drain)
      reject(new Error(`a runner process ended at once (${signal ?? code}): ${stderr}`))
      if (!expected) logger.error({ pid: child.pid, code, signal, stderr }, 'a runner process died')
      for (const [id, call] of [...pending]) {
        const innocent = guilty !== undefined && guilty !== id
        finish(id, {
          lost: true,
          guilty: guilty === id,
          retryable: !call.calledOut && (innocent || !call.started),
          detail: `The runner process ended (${signal ?? code}).`,
        })
      }
    })
  })
}

interface Heard {
  ready?: unknown
  started?: unknown
  call?: Partial<OutsideCall>
  drop?: Partial<DroppedCall>
  reply?: Partial<RunnerReply>
}

const isOutsideCall = (call: Partial<OutsideCall> | undefined): call is OutsideCall =>
  typeof call === 'object' &&
  call !== null &&
  typeof call.id === 'number' &&
  typeof call.call === 'number' &&
  typeof call.request === 'string'

const STATUSES = new Set(['ok', 'error', 'timeout', 'memory', 'invalid_output'])

function isReply(reply: Partial<RunnerReply> | undefined): reply is RunnerReply {
  return (
    typeof reply === 'object' &&
    reply !== null &&
    typeof reply.id === 'number' &&
    STATUSES.has(reply.status ?? '') &&
    typeof reply.output === 'string' &&
    typeof reply.cached === 'string' &&
    typeof reply.logs === 'string' &&
    typeof reply.detail === 'string' &&
    typeof reply.tainted === 'boolean'
  )
}
