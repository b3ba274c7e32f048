/** What a request met on its way, check by check. Collected only when somebody asks (`explain.ts`). */
export interface Step {
  readonly at: 'request' | 'host' | 'path' | 'route' | 'limit' | 'authorizer' | 'integration'
  /** What was looked at, such as `aud`. */
  readonly check: string
  /** `null`: a fact that nothing depends on. */
  readonly passed: boolean | null
  readonly expected?: string
  readonly actual?: string
}

/** Handed along with a request; `null` for requests of clients, where noting would cost. */
export interface Trace {
  note(step: Step): void
}

const longest = 200

/** How a value of a token or a request is shown. */
export function shown(value: unknown): string {
  const text = value === undefined ? 'absent' : typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}
