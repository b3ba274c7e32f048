/**
 * What every second factor can do. One file per factor implements it; `factors.ts` adds what all of them share: limits,
 * one-time challenges, the log. Nothing here knows of pages or requests, so that the token endpoint uses the same.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { Outbox } from '../../delivery/outbox.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { LogEntry, TenantLog } from '../../logs/tenant-log.ts'
import type { GuardianSettings, ReadGuardian } from '../../resources/guardian/settings.ts'
import type { FactorName } from '../../resources/users/authentication-methods/rules.ts'
import type { MethodRow, NewMethod } from '../../resources/users/authentication-methods/store.ts'
import type { Lockout } from '../lockout.ts'

export type { FactorName }

export interface FactorDependencies {
  database: Database
  secrets: Secrets
  clock: Clock
  outbox: Outbox
  tenantLog: TenantLog
  guardian: ReadGuardian
  lockout: Pick<Lockout, 'textMessages'>
}

/** Whose factors they are, and how they came here. */
export interface Person {
  environment: RequestEnvironment
  user: {
    user_id: string
    email: string | null
    email_verified: boolean
    name?: string | null
  }
  /** What messages name as the place of the sign-in. */
  product: string
  /** What entries of the log tell beyond the person: from where, for which client. */
  about: Partial<LogEntry>
}

/** A method of authentication as this module hands it out: what a factor of this person is proven with. */
export type Method = Pick<
  MethodRow,
  | 'id'
  | 'type'
  | 'confirmed'
  | 'name'
  | 'email'
  | 'phone_number'
  | 'secret'
  | 'credential_id'
  | 'public_key'
  | 'sign_count'
  | 'transports'
  | 'relying_party_identifier'
> & { factor: FactorName }

export interface EnrolmentWishes {
  phoneNumber?: string | undefined
  email?: string | undefined
  userAgent?: string | undefined
}

/** What the answer is compared with, for how long, and what the one who answers is shown. */
export interface Challenge {
  expected: string
  lifetimeSeconds: number
  shown?: Record<string, unknown>
}

export interface Answer {
  person: Person
  method: Method
  /** A code as it was typed, or what the browser's authenticator said, as JSON. */
  value: string
  /**
   * Takes away the challenge that was made for this method, if `matches` says that it was answered. Undefined when there
   * was none, it has run out, or another request took it first.
   */
  redeem(matches: (expected: string) => boolean): Promise<string | undefined>
}

export interface Factor {
  name: FactorName
  /** A method to be kept unconfirmed until it has been answered with. @throws Problem for a number or address that is none */
  enrol(deps: FactorDependencies, person: Person, wishes: EnrolmentWishes): Promise<NewMethod>
  /** What its owner has to know of a method that is not confirmed yet, such as a secret. */
  reveal?(deps: FactorDependencies, person: Person, method: Method): Record<string, unknown>
  /** Makes, and sends, what is to be answered, in the transaction that keeps it. A factor without it needs no challenge. */
  challenge?(
    deps: FactorDependencies,
    tx: Tx,
    person: Person,
    method: Method,
    settings: GuardianSettings,
  ): Promise<Challenge>
  /** Whether the answer proves the method. It is used up by this: of any number of tries at once one is right. */
  verify(deps: FactorDependencies, tx: Tx, answer: Answer): Promise<boolean>
}
