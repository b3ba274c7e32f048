/**
 * One kind of error for the whole product. The thrower says WHAT is wrong with a stable code; each edge decides HOW it
 * looks there (Auth0's management shape, RFC 6749, a page, AWS's `{message}`). `message` is public. `cause` and
 * `internal` are for the log alone and never travel.
 */
export interface ProblemFacts {
  readonly [name: string]: unknown
}

export class Problem extends Error {
  readonly code: string
  readonly status: number
  readonly facts: ProblemFacts
  /** For the operator's log: what the public text must not say. */
  readonly internal: string | undefined

  constructor(
    code: string,
    status: number,
    message: string,
    options: { facts?: ProblemFacts; internal?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Problem'
    this.code = code
    this.status = status
    this.facts = options.facts ?? {}
    this.internal = options.internal
  }
}

export interface ProblemDefinition {
  status: number
  /** Public text. `{name}` is filled from the facts given when it is raised. */
  title: string
}

export interface Raise {
  facts?: ProblemFacts
  internal?: string
  cause?: unknown
}

/**
 * Declares a slice's problems once, and returns one constructor per code.
 *
 * @example
 * const problems = defineProblems({ inexistent_user: { status: 404, title: 'The user does not exist.' } })
 * throw problems.inexistent_user()
 */
export function defineProblems<Codes extends string>(
  definitions: Record<Codes, ProblemDefinition>,
): Record<Codes, (raise?: Raise) => Problem> {
  const entries = Object.entries<ProblemDefinition>(definitions).map(([code, { status, title }]) => [
    code,
    (raise: Raise = {}) => new Problem(code, status, fill(title, raise.facts ?? {}), raise),
  ])
  return Object.fromEntries(entries)
}

const fill = (title: string, facts: ProblemFacts): string =>
  title.replace(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(facts, name) ? String(facts[name]) : whole))

/** Whether an error is the Problem with this code. */
export const isRefusal = (error: unknown, code: string): error is Problem =>
  error instanceof Problem && error.code === code
