/** What the server and a runner process say to each other, one JSON document per line. Strings and numbers only. */
import type { CacheRecord } from './guest-cache.ts'

export interface CallLimits {
  cpuMs: number
  wallMs: number
  memoryMb: number
  /** Longest command list, in UTF-16 units: the guest refuses earlier, the server checks again in bytes. */
  outputChars: number
  /** Calls to the outside in one run. */
  calls: number
}

/** `run` executes the handler, `check` stops after loading the module and looking for it. */
export interface RunnerCall {
  id: number
  mode: 'run' | 'check'
  /** Isolates are shared between calls of one key only, and a key never spans environments. */
  isolateKey: string
  code: string
  /** What is loaded before the code, in this order; the runner was told their sources before. */
  parts: readonly string[]
  /** JSON for the guest. The runner passes it on without reading it. */
  payload: string
  limits: CallLimits
}

/** One part of what Actions may use, as text for the guest's world. */
export interface PartSource {
  name: string
  source: string
}

/** The answer to a call of a run: JSON that only the guest reads. */
export interface CallAnswer {
  id: number
  call: number
  answer: string
}

export type ToRunner = { part: PartSource } | { answer: CallAnswer } | { run: RunnerCall }

/** JSON of the guest's, which the runner passes on without reading it. */
export interface OutsideCall {
  id: number
  call: number
  request: string
}

export type FailureKind = 'error' | 'timeout' | 'memory' | 'invalid_output'

export interface RunnerReply {
  id: number
  status: 'ok' | FailureKind
  /** JSON of the recorded commands; empty unless `status` is `ok`. */
  output: string
  /** JSON of what is to be kept in the cache of the trigger; empty when that is nothing. */
  cached: string
  /** JSON of the captured console lines; empty when the isolate is gone. */
  logs: string
  detail: string
  /** The engine lost control of a thread: this process must take no further call and be replaced. */
  tainted: boolean
}

/** The guest waits for it no more. */
export interface DroppedCall {
  id: number
  call: number
}

export type FromRunner =
  | { ready: true }
  | { started: number }
  | { call: OutsideCall }
  | { drop: DroppedCall }
  | { reply: RunnerReply }

/** What the guest finds in its payload. */
export interface GuestPayload {
  handler: string
  /** The handler for whoever comes back, where the trigger can send people away: none is sent away without it. */
  continuation?: string | undefined
  /** Recording methods of the trigger's `api`, with the names their arguments get in a command. */
  methods: Record<string, readonly string[]>
  /** Methods with an answer that is known before the run. */
  answers: Record<string, boolean>
  /** Methods and groups of methods for which there is nothing to change in this run: they throw. */
  absent: readonly string[]
  /** Documented methods that this server cannot honour: they throw, so that the login fails closed. */
  unavailable: readonly string[]
  event: Record<string, unknown>
  /** What Actions of this trigger have kept before. */
  cache?: Record<string, CacheRecord> | undefined
  /** The largest body of a call to the outside; the server counts again. */
  callBytes: number
  /** What `require` knows, for whoever asks for something else. */
  modules: readonly string[]
  /** Random bytes in hex, for code that may ask for random numbers: no run gets those of another. */
  entropy?: string | undefined
  /** Secret values, removed from what the console prints. */
  redact: readonly string[]
  logLines: number
  logChars: number
}
