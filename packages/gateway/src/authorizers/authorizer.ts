/** What every authorizer is to the pipeline, whoever decides: keys, or a function. */
import type { Answer } from '../answers.ts'
import type { Call, Caller } from '../exchange.ts'

export interface CompiledAuthorizer {
  /** Synchronous unless something has to be asked for. */
  authorize(call: Call): Verdict | Promise<Verdict>
  /** Forgets every decision: the next request is decided anew. */
  reset(): void
}

export type Verdict = Caller | Refusal

export interface Refusal {
  readonly answer: Answer
  /** Value of `www-authenticate`, or `null` when none is sent. */
  readonly challenge: string | null
  /** `$context.authorizer.error`, for the access log. */
  readonly error: string
}

export const isRefusal = (verdict: Verdict): verdict is Refusal => 'answer' in verdict
