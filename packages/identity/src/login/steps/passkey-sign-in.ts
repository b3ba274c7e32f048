/** What the sign-in page has for passkeys: the question for its script, and the answer. */
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { Connection } from '../../oauth/configuration.ts'
import type { StepTools, Visit } from '../login.ts'
import { checkPasskey, offerPasskey, passkeyConnections, passkeyOptions } from '../passkeys.ts'
import { attemptOf } from '../password-check.ts'
import { LIFETIME_SECONDS } from '../transactions.ts'

const holderOf = ({ transaction }: Visit): Buffer => hashHandle(transaction.state)

/** Nothing, where no connection has passkeys on. */
export async function passkeyValues(tools: StepTools, visit: Visit, connections: Connection[]) {
  const [first] = passkeyConnections(connections)
  if (!first) return {}
  const options = await offerPasskey(tools, visit.request.environment, holderOf(visit), LIFETIME_SECONDS)
  return {
    passkeys: true,
    passkey_ui: passkeyOptions(first).challenge_ui,
    passkey_options: JSON.stringify(options),
  }
}

export interface Refused {
  refused: string
  status: number
}

/** @returns why it was refused; undefined when the answer was sent */
export async function signInWithPasskey(
  tools: StepTools,
  visit: Visit,
  connections: Connection[],
  given: string,
): Promise<Refused | undefined> {
  const asked = { holder: holderOf(visit), connections, given }
  const checked = await checkPasskey(tools, visit.request.environment, attemptOf(visit), asked)
  if (checked.outcome === 'blocked') return { refused: 'user-blocked', status: 403 }
  const refusal = { refused: 'passkey-refused', status: 400 }
  if (checked.outcome !== 'right') return refusal
  const { userId, connectionId, proof, fromElsewhere } = checked
  const noted = fromElsewhere
    ? await tools.transactions.note(visit.request, visit.transaction, { webauthn: true, passkeyFromElsewhere: true })
    : visit.transaction
  const person = { userId, connectionId, amr: ['passkey'], proof }
  return (await tools.signIn({ ...visit, transaction: noted }, person)) ? undefined : refusal
}
