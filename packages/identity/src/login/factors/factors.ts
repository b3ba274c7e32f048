/**
 * Second factors of a person: which they have, how one is asked for, answered and added. Pages and the token endpoint
 * come here. A `handle` is what a challenge is bound to: the state of a login, or what the token endpoint hands out.
 */
import { addSeconds } from '@tenantry/kernel/clock.ts'
import type { Tx } from '@tenantry/kernel/database/database.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { LogType } from '../../logs/log-types.ts'
import { factorOf, newRecoveryCode } from '../../resources/users/authentication-methods/rules.ts'
import * as methods from '../../resources/users/authentication-methods/store.ts'
import { relyingParty } from '../webauthn/ceremonies.ts'
import { email } from './email.ts'
import type { EnrolmentWishes, Factor, FactorDependencies, FactorName, Method, Person } from './factor.ts'
import * as store from './factor-store.ts'
import { otp } from './otp.ts'
import { refusals } from './problems.ts'
import { recoveryCode } from './recovery-code.ts'
import { sms } from './sms.ts'
import { webauthn } from './webauthn.ts'

/** In the order in which they are offered. */
const TABLE: readonly Factor[] = [
  webauthn('webauthn-roaming'),
  webauthn('webauthn-platform'),
  otp,
  sms,
  email,
  recoveryCode,
]

export const factorNamed = (name: FactorName): Factor | undefined => TABLE.find((factor) => factor.name === name)

/** Answers in fifteen minutes and messages in an hour, of one person over all logins and factors. */
const LIMITS = { answer: { tries: 10, seconds: 900 }, message: { tries: 10, seconds: 3600 } }

/** The method of a person whose own address is proven; it stands in no table. */
const OWN_ADDRESS = 'email|profile'

export type Outcome = 'right' | 'wrong' | 'too_many'

export interface Factors {
  /** Factors that are on and can be asked for here, in the order in which they are offered. */
  available(environmentId: string): Promise<FactorName[]>
  /** What this person can be asked for now: confirmed, of a factor that is on. The best comes first. */
  enrolled(person: Person): Promise<Method[]>
  /**
   * Whether this person has a credential of another host of this environment. It cannot be asked for here; but whoever
   * knows the password alone must not add a factor by coming to a host at which there is none.
   */
  hasElsewhere(person: Person): Promise<boolean>
  /** Factors that this person could add. */
  enrollable(person: Person, enrolled: Method[]): Promise<FactorName[]>
  /** A method that was begun and is not confirmed. */
  begun(person: Person, methodId: string): Promise<{ method: Method; shown: Record<string, unknown> } | undefined>
  /**
   * Makes, and sends, what is to be answered. @returns what the one who answers is shown
   * @throws Problem `too_many_messages`, or that nothing can be sent
   */
  challenge(person: Person, method: Method, handle: string): Promise<Record<string, unknown>>
  /** Whether there is a challenge that waits for its answer. */
  isChallenged(person: Person, method: Method, handle: string): Promise<boolean>
  /** Counts the try first, for this person over all their logins. A right answer is used up. */
  verify(person: Person, methodId: string, handle: string, value: string): Promise<Outcome>
  /** Keeps a method that proves nothing until it is confirmed. @throws Problem `factor_unavailable`, `invalid_contact` */
  enrol(
    person: Person,
    factor: FactorName,
    wishes?: EnrolmentWishes,
  ): Promise<{ method: Method; shown: Record<string, unknown> }>
  /**
   * Confirms a method with a first answer. `proven` says that another factor was passed: whoever has one already must
   * show it before a further one is added.
   */
  confirm(
    person: Person,
    methodId: string,
    handle: string,
    value: string,
    proven: boolean,
  ): Promise<Outcome | 'refused' | 'gone'>
  /** A recovery code in place of any before; it counts once it is kept. */
  newRecoveryCode(person: Person): Promise<{ id: string; code: string }>
  keepRecoveryCode(person: Person, id: string): Promise<boolean>
}

export function createFactors(deps: FactorDependencies): Factors {
  const { database, clock, tenantLog } = deps

  const log = ({ environment, user, about }: Person, type: LogType, factor?: FactorName) =>
    tenantLog.add(environment.id, {
      ...about,
      type,
      user_id: user.user_id,
      user_name: user.email,
      ...(factor ? { details: { factor } } : {}),
    })

  async function admit(person: Person, kind: keyof typeof LIMITS): Promise<boolean> {
    const now = clock.now()
    const { tries: limit, seconds } = LIMITS[kind]
    const { environment, user } = person
    const [counted] = await database.once(environment.id, (tx) =>
      store.countTry(tx, environment.id, user.user_id, kind, now, addSeconds(now, seconds)),
    )
    const tries = counted?.tries ?? Number.POSITIVE_INFINITY
    if (tries === limit + 1) log(person, 'gd_otp_rate_limit_exceed')
    return tries <= limit
  }

  /** A credential is worth nothing at another host than the one that it was made for. */
  const isOfHere = ({ environment }: Person, { relying_party_identifier: host }: Method): boolean =>
    host === null || host === relyingParty(environment).id

  async function confirmedIn(tx: Tx, person: Person, on: FactorName[]): Promise<Method[]> {
    const rows = await methods.listConfirmed(tx, person.user.user_id)
    return rows.flatMap(known).filter(({ factor }) => on.includes(factor))
  }

  async function elsewhereIn(tx: Tx, person: Person, on: FactorName[]): Promise<boolean> {
    const rows = await confirmedIn(tx, person, on)
    return rows.some((each) => !isOfHere(person, each))
  }

  async function enrolledIn(tx: Tx, person: Person, on: FactorName[]): Promise<Method[]> {
    const confirmed = await confirmedIn(tx, person, on)
    const rows = confirmed.filter((each) => isOfHere(person, each))
    const { email: address, email_verified } = person.user
    const own =
      address && email_verified && !rows.some(({ factor }) => factor === 'email')
        ? [ownAddress(person.user.user_id, address)]
        : []
    const usable = [...rows, ...own].filter(({ factor }) => on.includes(factor))
    const codes = usable.filter(({ factor }) => factor === 'recovery-code')
    const others = usable.filter(({ factor }) => factor !== 'recovery-code')
    // A recovery code stands in for something else, be that of another host; alone it is nothing to be asked for.
    const standsAlone = others.length === 0 && rows.length === confirmed.length
    return standsAlone ? [] : [...inOrder(others, on), ...codes]
  }

  /**
   * Read before a transaction is begun, never inside: it may have to be loaded by another connection, and when each of them
   * is held by somebody who waits for one more, nobody gets on (CWE-833).
   */
  const available = async (environmentId: string) =>
    (await deps.guardian(environmentId)).factors.filter((name) => factorNamed(name) !== undefined)

  const keyOf = (person: Person, method: Method, handle: string) => ({
    handleHash: hashHandle(handle),
    methodId: method.id,
    userId: person.user.user_id,
  })

  function check(tx: Tx, person: Person, method: Method, handle: string, value: string): Promise<boolean> {
    const key = keyOf(person, method, handle)
    return factorNamed(method.factor)!.verify(deps, tx, {
      person,
      method,
      value,
      async redeem(matches) {
        const now = clock.now()
        const expected = await store.readChallenge(tx, key, now)
        if (expected === undefined || !matches(expected)) return undefined
        return (await store.takeChallenge(tx, key, expected, now)) ? expected : undefined
      },
    })
  }

  const succeeded = (person: Person) =>
    database.once(person.environment.id, (tx) => store.forgetTries(tx, person.user.user_id))

  const shownOf = (person: Person, method: Method) => factorNamed(method.factor)?.reveal?.(deps, person, method) ?? {}

  return {
    available,

    async enrolled(person) {
      const on = await available(person.environment.id)
      return database.inEnvironment(person.environment.id, (tx) => enrolledIn(tx, person, on))
    },

    async hasElsewhere(person) {
      const on = await available(person.environment.id)
      return database.inEnvironment(person.environment.id, (tx) => elsewhereIn(tx, person, on))
    },

    async enrollable(person, enrolled) {
      const on = await available(person.environment.id)
      return on.filter(
        (name) =>
          name !== 'recovery-code' &&
          !enrolled.some(({ factor }) => factor === name) &&
          (name !== 'email' || person.user.email !== null),
      )
    },

    async begun(person, methodId) {
      const row = await database.inEnvironment(person.environment.id, (tx) =>
        methods.find(tx, person.user.user_id, methodId),
      )
      const [method] = row && !row.confirmed ? known(row) : []
      return method && { method, shown: shownOf(person, method) }
    },

    async challenge(person, method, handle) {
      const { environment } = person
      const factor = factorNamed(method.factor)!
      if (!factor.challenge) return {}
      const isSent = method.factor === 'email' || method.factor === 'sms'
      if (isSent && !(await admit(person, 'message'))) throw refusals.too_many_messages()
      const settings = await deps.guardian(environment.id)
      const admitText = await deps.lockout.textMessages(environment.id, person.about.ip ?? undefined)
      const challenge = await database.inEnvironment(environment.id, async (tx) => {
        if (method.factor === 'sms' && !(await admitText(tx))) return undefined
        const made = await factor.challenge!(deps, tx, person, method, settings)
        const expiresAt = addSeconds(clock.now(), made.lifetimeSeconds)
        await store.putChallenge(tx, environment.id, keyOf(person, method, handle), made.expected, expiresAt)
        return made
      })
      if (!challenge) throw refusals.too_many_messages()
      if (method.factor === 'email') log(person, 'gd_send_email', 'email')
      if (method.factor === 'sms') log(person, 'gd_send_sms', 'sms')
      return challenge.shown ?? {}
    },

    async isChallenged(person, method, handle) {
      const key = keyOf(person, method, handle)
      return database.inEnvironment(
        person.environment.id,
        async (tx) => (await store.readChallenge(tx, key, clock.now())) !== undefined,
      )
    },

    async verify(person, methodId, handle, value) {
      if (!(await admit(person, 'answer'))) return 'too_many'
      const on = await available(person.environment.id)
      const { method, right } = await database.inEnvironment(person.environment.id, async (tx) => {
        const found = (await enrolledIn(tx, person, on)).find(({ id }) => id === methodId)
        const fits = found !== undefined && (await check(tx, person, found, handle, value))
        if (fits) await methods.touch(tx, found.id, clock.now())
        return { method: found, right: fits }
      })
      const isRecovery = method?.factor === 'recovery-code'
      if (!right) {
        log(person, isRecovery ? 'gd_recovery_failed' : 'gd_auth_failed', method?.factor)
        return 'wrong'
      }
      await succeeded(person)
      log(person, isRecovery ? 'gd_recovery_succeed' : 'gd_auth_succeed', method!.factor)
      return 'right'
    },

    async enrol(person, name, wishes = {}) {
      const { environment } = person
      if (!(await available(environment.id)).includes(name)) throw refusals.factor_unavailable()
      const row = await factorNamed(name)!.enrol(deps, person, wishes)
      const kept = await database.inEnvironment(environment.id, async (tx) => {
        await methods.insert(tx, environment.id, [row])
        return methods.find(tx, person.user.user_id, row.id)
      })
      const [method] = kept ? known(kept) : []
      if (!method) throw refusals.factor_unavailable()
      log(person, 'gd_start_enroll', name)
      return { method, shown: shownOf(person, method) }
    },

    async confirm(person, methodId, handle, value, proven) {
      if (!(await admit(person, 'answer'))) return 'too_many'
      const { environment, user } = person
      const on = await available(environment.id)
      const [outcome, factor] = await database.inEnvironment(environment.id, async (tx) => {
        await methods.lockPerson(tx, user.user_id)
        const row = await methods.find(tx, user.user_id, methodId)
        const [method] = row && !row.confirmed ? known(row) : []
        if (!method) return ['gone'] as const
        // OWASP ASVS 2.7: who knows the password alone must not add a factor beside those that would keep them out. A
        // proven address is enrolled by itself, so it does not count here.
        const others = (await enrolledIn(tx, person, on)).filter((each) => each.factor !== 'email')
        if (!proven && (others.length > 0 || (await elsewhereIn(tx, person, on))))
          return ['refused', method.factor] as const
        if (!(await check(tx, person, method, handle, value))) return ['wrong', method.factor] as const
        await methods.confirm(tx, user.user_id, method.id, clock.now())
        return ['right', method.factor] as const
      })
      if (outcome === 'right') {
        await succeeded(person)
        log(person, 'gd_enrollment_complete', factor)
      } else if (outcome === 'wrong') log(person, 'gd_auth_failed', factor)
      return outcome
    },

    async newRecoveryCode(person) {
      const { environment, user } = person
      const { row, code } = newRecoveryCode(user.user_id, clock.now())
      await database.inEnvironment(environment.id, (tx) => methods.replaceRecoveryCode(tx, environment.id, row))
      return { id: row.id, code }
    },

    keepRecoveryCode: (person, id) =>
      database.inEnvironment(person.environment.id, (tx) =>
        methods.keepRecoveryCode(tx, person.user.user_id, id, clock.now()),
      ),
  }
}

const known = (row: methods.MethodRow): Method[] => {
  const factor = factorOf(row.type)
  return factor ? [{ ...row, factor }] : []
}

const inOrder = (found: Method[], order: FactorName[]): Method[] =>
  found.toSorted((a, b) => order.indexOf(a.factor) - order.indexOf(b.factor))

const ownAddress = (_userId: string, address: string): Method => ({
  id: OWN_ADDRESS,
  factor: 'email',
  type: 'email',
  confirmed: true,
  name: null,
  email: address,
  phone_number: null,
  secret: null,
  credential_id: null,
  public_key: null,
  sign_count: null,
  transports: null,
  relying_party_identifier: null,
})
