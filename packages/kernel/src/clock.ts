/** Time as a dependency: everything that asks for "now" gets a clock, so tests move it instead of waiting. */
export interface Clock {
  now(): Date
}

export const systemClock: Clock = { now: () => new Date(Date.now()) }

/**
 * The clock in milliseconds since 1970. Where it is asked several times a request: a `Date` for each answer was 3 % of a
 * profile of the gateway.
 */
export const milliseconds = (clock: Clock): (() => number) =>
  clock === systemClock ? () => Date.now() : () => clock.now().getTime()

/** Whole seconds since 1970, the unit of JWT claims (RFC 7519 §2, NumericDate). */
export const epochSeconds = (date: Date): number => Math.floor(date.getTime() / 1000)

export const addSeconds = (date: Date, seconds: number): Date => new Date(date.getTime() + seconds * 1000)
