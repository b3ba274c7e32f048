/** Why a tenant's rows cannot be reached now. The message is public and the same for whoever asks. */
const REFUSALS = {
  tenant_unknown: [403, 'There is no such tenant.'],
  tenant_suspended: [403, 'This tenant is suspended.'],
  tenant_moving: [503, 'This tenant’s data is being moved. Try again in a moment.'],
  connections_exhausted: [503, 'Too many tenants are at work at the moment. Try again in a moment.'],
} as const

export type TenantUnavailableCode = keyof typeof REFUSALS

/** 503 may be tried again: nothing was written. */
export class TenantUnavailable extends Error {
  readonly code: TenantUnavailableCode
  readonly status: 403 | 503

  constructor(code: TenantUnavailableCode, options?: { cause?: unknown }) {
    super(REFUSALS[code][1], options)
    this.name = 'TenantUnavailable'
    this.code = code
    this.status = REFUSALS[code][0]
  }
}

/** The SQLSTATE with which a table refuses a tenant that is being moved, or has moved away. */
export const MOVED = 'TN503'

/** Whether a driver's error comes from there; drivers wrap what PostgreSQL says in different ways. */
export function isMoved(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; typeof at === 'object' && at !== null && depth < 6; depth++) {
    const { code, meta, cause, message } = at as {
      code?: unknown
      meta?: { code?: unknown }
      cause?: unknown
      message?: unknown
    }
    if (code === MOVED || meta?.code === MOVED || (typeof message === 'string' && message.includes(MOVED))) return true
    at = cause
  }
  return false
}
