import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import { parseFunctionArn } from '../arn.ts'
import { FunctionFailed, payloadLimits } from '../functions.ts'
import type { FunctionConfig } from './configuration.ts'
import { environmentOf } from './environment.ts'
import { type FromFunction, type LogLevel, readFrames, writeFrame } from './frames.ts'
import { watchMemory } from './memory.ts'
import { createBrake, createRation, readLines } from './output.ts'

/** One process of one function. It runs one invocation at a time, as on Lambda. */
export interface FunctionProcess {
  /** False once it has ended or is about to. */
  readonly isUsable: boolean
  /** @throws FunctionFailed; the process may be unusable afterwards */
  run(invocation: LocalInvocation): Promise<string>
  close(): Promise<void>
}

export interface LocalInvocation {
  readonly requestId: string
  readonly arn: string
  readonly event: string
  readonly traceId: string
  readonly callId: string | undefined
}

interface Running {
  readonly invocation: LocalInvocation
  readonly settle: (outcome: string | FunctionFailed) => void
  timer: NodeJS.Timeout | undefined
}

const main = fileURLToPath(new URL('./guest/main.ts', import.meta.url))
/** Lambda gives the loading of a function 10 s of its own. */
const initMs = 10_000
const closeMs = 2_000
/** How long what a process has said before its end may take to arrive. */
const lastWordsMs = 500

export function startFunctionProcess(config: FunctionConfig, arn: string, logger: Logger): FunctionProcess {
  const child = spawn(
    process.execPath,
    // The heap takes what buffers and code leave; `watchMemory` holds all of it to the limit.
    [`--max-old-space-size=${Math.floor(config.memoryMb * 0.9)}`, main, config.file, config.handlerName],
    {
      cwd: config.directory,
      env: environmentOf(config, parseFunctionArn(arn)!, randomUUID()),
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      // A group of its own: what the function starts ends with it, and Ctrl+C in the gateway's terminal does not reach it.
      detached: true,
    },
  )
  noteAlive(child.pid)
  const pipe = child.stdio[3] as Duplex
  const ration = createRation()
  const brake = createBrake(pipe, ration)
  let isUsable = true
  let isReady = false
  let running: Running | null = null
  let last: LocalInvocation | null = null
  /** Why the process is being ended, when it is we who end it. */
  let verdict: FunctionFailed | null = null
  let stopWatching = (): void => undefined

  const log = (level: LogLevel, text: string): void => {
    const facts = { function: config.name, process: child.pid, requestId: last?.requestId, id: last?.callId }
    logger[level](facts, text)
  }
  const settle = (outcome: string | FunctionFailed): void => {
    const call = running
    running = null
    stopWatching()
    clearTimeout(call?.timer)
    call?.settle(outcome)
  }
  const kill = (why: FunctionFailed | null): void => {
    isUsable = false
    verdict ??= why
    killGroup(child.pid)
  }
  const limit = (ms: number, told: string): NodeJS.Timeout =>
    setTimeout(() => kill(new FunctionFailed('threw', told)), ms)

  const exhausted = (): void =>
    kill(new FunctionFailed('crashed', `${config.name} used more than its ${config.memoryMb} MB of memory`))

  const begin = (call: Running): void => {
    const { arn, event, requestId, traceId } = call.invocation
    clearTimeout(call.timer)
    call.timer = limit(
      config.timeoutMs,
      `${config.name} timed out after ${(config.timeoutMs / 1000).toFixed(2)} seconds`,
    )
    writeFrame(pipe, { type: 'invoke', requestId, arn, traceId, remainingMs: config.timeoutMs }, event)
  }

  const heard: Record<FromFunction['type'], (text: string, level: unknown) => void> = {
    ready: () => {
      if (!isReady && running !== null) begin(running)
      isReady = true
    },
    result: settle,
    error: (text) => settle(new FunctionFailed('threw', `${config.name} failed: ${text}`)),
    init: (text) => kill(new FunctionFailed('threw', `${config.name} could not be loaded: ${text}`)),
    crash: (text) => {
      log('error', text)
      kill(new FunctionFailed('crashed', `${config.name} crashed: ${text}`))
    },
    log: (text, level) => {
      log(isLevel(level) ? level : 'info', text)
      ration.spend(text)
      brake()
    },
  }
  readFrames(pipe, payloadLimits.result, {
    onFrame: (head, text) => {
      const { type, level } = (head ?? {}) as { type?: unknown; level?: unknown }
      if (typeof type === 'string' && Object.hasOwn(heard, type)) heard[type as FromFunction['type']](text, level)
      else kill(new FunctionFailed('crashed', `the process of ${config.name} spoke nonsense`))
    },
    onNonsense: () => kill(new FunctionFailed('crashed', `the process of ${config.name} spoke nonsense`)),
  })
  // Closed by the system when this process is killed, which a thread of the function's process is waiting for.
  const leash = child.stdio[4] as Duplex
  leash.on('error', () => undefined).resume()
  // Its end is handled below; a write may lose the race against it.
  pipe.on('error', () => undefined)
  const unread = [
    readLines(child.stdout!, ration, (line) => log('info', line)),
    readLines(child.stderr!, ration, (line) => log('warn', line)),
  ]
  const gone = new Promise<void>((resolve) => {
    let isOver = false
    const finish = (outcome: FunctionFailed): void => {
      if (isOver) return
      isOver = true
      isUsable = false
      // What it started and left behind: it would keep the streams open, and run on.
      killGroup(child.pid)
      living.delete(child.pid!)
      const dropped = unread.reduce((sum, stop) => sum + stop(), 0)
      if (dropped > 0)
        log('warn', `it wrote faster than can be logged: ${dropped} lines and what followed them are lost`)
      for (const stream of child.stdio) stream?.destroy()
      settle(outcome)
      resolve()
    }
    const ended = (code: number | null, signal: string | null): FunctionFailed =>
      verdict ?? new FunctionFailed('crashed', `the process of ${config.name} ended (${signal ?? code})`)
    child.on('error', (cause) =>
      finish(new FunctionFailed('crashed', `the process of ${config.name} could not be started`, { cause })),
    )
    child.on('close', (code, signal) => finish(ended(code, signal)))
    child.on('exit', (code, signal) => {
      isUsable = false
      setTimeout(() => finish(ended(code, signal)), lastWordsMs).unref()
    })
  })

  return {
    get isUsable() {
      return isUsable
    },
    run: (invocation) =>
      new Promise((resolve, reject) => {
        last = invocation
        stopWatching = watchMemory(child.pid, config.memoryMb, exhausted)
        running = {
          invocation,
          settle: (outcome) => (typeof outcome === 'string' ? resolve(outcome) : reject(outcome)),
          timer: undefined,
        }
        if (isReady) begin(running)
        else running.timer = limit(Math.max(initMs, config.timeoutMs), `${config.name} could not be loaded in time`)
      }),
    close: async () => {
      isUsable = false
      pipe.end()
      const timer = setTimeout(() => kill(null), closeMs)
      await gone
      clearTimeout(timer)
    },
  }
}

// A process that waits for something ends with its pipe; one that is caught in a loop of its own would run for ever
// when the gateway leaves without waiting, as it does at the second Ctrl+C.
const living = new Set<number>()

function noteAlive(pid: number | undefined): void {
  if (pid === undefined) return
  // Once, however often the last of them has ended.
  process.off('exit', endAll).on('exit', endAll)
  living.add(pid)
}

function endAll(): void {
  for (const pid of living) killGroup(pid)
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}

const isLevel = (level: unknown): level is LogLevel =>
  level === 'trace' || level === 'debug' || level === 'info' || level === 'warn' || level === 'error'
