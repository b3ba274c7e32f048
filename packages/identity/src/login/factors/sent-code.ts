/** Six digits that are sent, by mail or text message, and typed. */
import { randomDigits } from '@tenantry/kernel/id.ts'
import { sameSecret } from '@tenantry/kernel/secrets.ts'
import { typedCode } from '../../resources/typed.ts'
import type { Answer, Challenge, FactorDependencies, Method, Person } from './factor.ts'

export const CODE_SECONDS = 300

/** Keyed: a plain hash of six digits is looked up in a table of a million. */
const hashCode = (
  { secrets }: Pick<FactorDependencies, 'secrets'>,
  { environment }: Person,
  method: Method,
  code: string,
) => secrets.authenticate('factor-codes', JSON.stringify([environment.id, method.id, code])).toString('base64url')

export function newCode(
  deps: FactorDependencies,
  person: Person,
  method: Method,
): { code: string; challenge: Challenge } {
  const code = randomDigits(6)
  const expected = hashCode(deps, person, method, code)
  return { code, challenge: { expected, lifetimeSeconds: CODE_SECONDS } }
}

export async function verifyCode(
  deps: FactorDependencies,
  { person, method, value, redeem }: Answer,
): Promise<boolean> {
  const code = typedCode(value)
  if (!/^\d{6}$/.test(code)) return false
  const typed = hashCode(deps, person, method, code)
  return (await redeem((expected) => sameSecret(expected, typed))) !== undefined
}
