/** Why something cannot be done to a tenant now. The message is public; the code is stable and may be asserted. */
const STATUS = {
  tenant_unknown: 404,
  tenant_id_used: 409,
  tenant_busy: 409,
  tenant_state: 409,
  key_malformed: 400,
  key_reused: 422,
} as const

export type LifecycleRefusalCode = keyof typeof STATUS

export class LifecycleRefused extends Error {
  readonly code: LifecycleRefusalCode
  readonly status: (typeof STATUS)[LifecycleRefusalCode]

  constructor(code: LifecycleRefusalCode, message: string) {
    super(message)
    this.name = 'LifecycleRefused'
    this.code = code
    this.status = STATUS[code]
  }
}

/**
 * Thrown by a step that no further try would help: the saga is compensated at once. Code and message are kept with the saga
 * and are public.
 *
 * @example
 * const reserveName: Step<{ name: string }> = {
 *   name: 'reserveName',
 *   async run({ input: { name } }) {
 *     if (name === 'admin') throw new StepRefused('name_taken', 'This name is taken. Choose another one.', 409)
 *     return { name }
 *   },
 * }
 */
export class StepRefused extends Error {
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 409) {
    super(message)
    this.name = 'StepRefused'
    this.code = code
    this.status = status
  }
}

/** Thrown by a step whose time has not come: the saga rests until then, which is no failure. */
export class NotYet extends Error {
  readonly seconds: number

  constructor(seconds: number) {
    super(`This step waits for ${seconds} seconds.`)
    this.name = 'NotYet'
    this.seconds = seconds
  }
}
