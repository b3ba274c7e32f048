/**
 * What a client without our pages can do about a second factor that is due: Auth0's `mfa_requirements`, beside each
 * mfa_token. SDKs show what it names and nothing else: `enroll` makes auth0-spa-js and -react add a first factor,
 * `challenge` is compared with the `type` of each authenticator.
 */
import type { FactorName, Method, Person } from '../../login/factors/factor.ts'
import type { Factors } from '../../login/factors/factors.ts'

/** Never both: who has something to be asked for is asked. */
export type MfaRequirements = { challenge: { type: string }[] } | { enroll: { type: string }[] }

/** Factors that answer with a code which arrives elsewhere. */
export const OUT_OF_BAND: readonly FactorName[] = ['sms', 'email']

/** A key of a browser is asked for on pages only. */
const isHere = (factor: FactorName): boolean =>
  factor === 'otp' || factor === 'recovery-code' || OUT_OF_BAND.includes(factor)

/** Auth0's word for a factor where SDKs compare it. */
export const typeOf = (factor: FactorName): string => (factor === 'sms' ? 'phone' : factor)

export const askableHere = (enrolled: Method[]): Method[] => enrolled.filter(({ factor }) => isHere(factor))

/** Who knows the password alone must not add a factor beside those that would keep them out, be that their address. */
export const mayAdd = async (factors: Factors, person: Person, enrolled: Method[]): Promise<boolean> =>
  enrolled.length === 0 && !(await factors.hasElsewhere(person))

export async function mfaRequirements(factors: Factors, person: Person): Promise<MfaRequirements> {
  const enrolled = await factors.enrolled(person)
  if (!(await mayAdd(factors, person, enrolled))) return challengesOf(enrolled)
  return { enroll: typesOf((await factors.enrollable(person, enrolled)).filter(isHere)) }
}

export const challengesOf = (enrolled: Method[]) => ({
  challenge: typesOf(askableHere(enrolled).map(({ factor }) => factor)),
})

const typesOf = (names: FactorName[]) => [...new Set(names.map(typeOf))].map((type) => ({ type }))
