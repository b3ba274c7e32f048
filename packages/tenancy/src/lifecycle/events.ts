/**
 * What happens to tenants, in the words of AWS's SaaS Builder Toolkit, so that what listens to a control plane of that kind
 * understands ours. `source` and `detailType` of an event on Amazon EventBridge are `source` and `name` here.
 */
const BY_PLANE = {
  control: [
    'onboardingRequest',
    'offboardingRequest',
    'activateRequest',
    'deactivateRequest',
    'billingSuccess',
    'billingFailure',
    'tenantUserCreated',
    'tenantUserDeleted',
    // The toolkit knows no change of tier and no export; these are ours.
    'tierChangeRequest',
    'exportRequest',
  ],
  application: [
    'onboardingSuccess',
    'onboardingFailure',
    'offboardingSuccess',
    'offboardingFailure',
    'provisionSuccess',
    'provisionFailure',
    'deprovisionSuccess',
    'deprovisionFailure',
    'activateSuccess',
    'activateFailure',
    'deactivateSuccess',
    'deactivateFailure',
    'ingestUsage',
    'tierChangeSuccess',
    'tierChangeFailure',
    'exportSuccess',
    'exportFailure',
  ],
} as const

export type EventName = (typeof BY_PLANE)[keyof typeof BY_PLANE][number]
export type EventSource = 'controlPlaneEventSource' | 'applicationPlaneEventSource'

/** The plane that an event of this name comes from. */
export const sourceOf = (name: EventName): EventSource =>
  (BY_PLANE.control as readonly string[]).includes(name) ? 'controlPlaneEventSource' : 'applicationPlaneEventSource'

/** An event as it is delivered: at least once, those of one tenant in the order in which they happened. */
export interface LifecycleEvent {
  /** The same at every delivery of this event: whoever has seen it drops it. */
  id: string
  tenantId: string
  source: EventSource
  name: EventName
  detail: Record<string, unknown>
  /** When it happened, by the database's clock. */
  at: Date
}
