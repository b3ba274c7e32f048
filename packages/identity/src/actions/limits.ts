import type { OutsideLimits } from './outside/outside.ts'

/** What one Action, and the Actions of one environment, may use at most. */
export interface ActionLimits extends OutsideLimits {
  /** CPU time of one action. Generous by default, because a slow or busy machine must not refuse honest logins. */
  cpuMs: number
  /** Elapsed time of one action. */
  wallMs: number
  /** Elapsed time of a whole run: the wait for its turn, the start of a runner process and all of its actions. */
  triggerWallMs: number
  memoryMb: number
  /** Of the commands of one action. Claims of two tokens and both kinds of metadata, each at its own limit, fit in. */
  outputBytes: number
  codeBytes: number
  eventBytes: number
  logLines: number
  logChars: number
  /** Runs of one environment at once, and how many more may wait for their turn. */
  concurrency: number
  queue: number
  /** Runs of which each came of a call of the one before. */
  depth: number
}

export const defaultLimits: ActionLimits = {
  cpuMs: 250,
  wallMs: 10_000,
  triggerWallMs: 20_000,
  memoryMb: 32,
  outputBytes: 320 * 1024,
  codeBytes: 100_000,
  eventBytes: 512 * 1024,
  logLines: 100,
  logChars: 2_048,
  concurrency: 8,
  queue: 200,
  depth: 3,
  calls: 20,
  callsAtOnce: 4,
  callBytes: 1024 * 1024,
  redirects: 10,
}
