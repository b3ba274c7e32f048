/**
 * Offers a passkey to who has just signed in: with a password (progressive enrolment), or with a passkey of another device
 * (local enrolment). "Not now" counts for a month.
 *
 * A passkey is a way in of its own. So nobody gets one who has a second factor and has not used it in this sign-in: a
 * password that was stolen would otherwise become a key that lasts.
 */
import { addSeconds } from '@tenantry/kernel/clock.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import { asker } from '../../logs/tenant-log.ts'
import type { Step, StepTools, Visit } from '../login.ts'
import { type Enrollment, enroll, offerEnrollment, passkeyConnections, passkeyOptions } from '../passkeys.ts'
import { PASSKEY, relyingParty } from '../webauthn/ceremonies.ts'
import * as store from '../webauthn/store.ts'

const POSTPONED_SECONDS = 30 * 86_400

type Page = 'passkey-enrollment' | 'passkey-enrollment-local'

export const passkeyEnrollment: Step = {
  name: 'passkey-enrollment',
  silently: 'interaction_required',
  isDue: async (visit, tools) => (await offerOf(visit, tools)) !== undefined,

  async show(tools, visit) {
    return show(tools, visit, (await offerOf(visit, tools))!)
  },

  async submit(tools, visit, form) {
    const { request, transaction, session } = visit
    const { id: environmentId } = request.environment
    const userId = session!.user_id
    if (!form.passkey) {
      const until = addSeconds(tools.clock.now(), POSTPONED_SECONDS)
      await tools.database.once(environmentId, (tx) => store.postpone(tx, environmentId, userId, until))
      return answered()
    }
    const userAgent = request.headers['user-agent']
    const made = await enroll(tools, enrollmentOf(visit), { userId, given: form.passkey, userAgent })
    const about = {
      ...asker(request),
      client_id: visit.client.client_id,
      client_name: visit.client.name,
      user_id: userId,
      user_name: session!.email,
      connection_id: session!.connection_id,
    }
    if (made.refused !== undefined) {
      tools.tenantLog.add(environmentId, {
        type: 'gd_webauthn_enrollment_failed',
        ...about,
        description: made.refused,
      })
      const offer = (await offerOf(visit, tools))!
      return show(tools, visit, offer, 'passkey-creation-failed', 400)
    }
    const details = { authenticator: 'passkey', authentication_method: made.id }
    tools.tenantLog.add(environmentId, { type: 'gd_enrollment_complete', ...about, details })
    return answered()

    async function answered() {
      const noted = await tools.transactions.note(request, transaction, { passkeyOffer: 'answered' })
      return tools.proceed({ ...visit, transaction: noted })
    }
  },
}

interface Offer {
  page: Page
  state: store.EnrollmentState
}

async function offerOf(visit: Visit, tools: StepTools): Promise<Offer | undefined> {
  const { request, client, transaction, session } = visit
  const { progress } = transaction
  // Only a browser that said it can make one, and only in the login in which the person came in.
  if (!session || !progress.webauthn || progress.passkeyOffer || session.auth_time < transaction.startedAt)
    return undefined
  const { environment } = request
  const usable = await tools.configuration.connections(environment.id, client.client_id, transaction.organizationId)
  const connection = passkeyConnections(usable).find(({ id }) => id === session.connection_id)
  if (!connection) return undefined
  const options = passkeyOptions(connection)
  const byPassword = session.amr.includes('pwd') && options.progressive_enrollment_enabled
  const byOtherDevice = progress.passkeyFromElsewhere === true && options.local_enrollment_enabled
  if (!byPassword && !byOtherDevice) return undefined
  const [state] = await tools.database.once(environment.id, (tx) =>
    store.enrollmentState(tx, session.user_id, relyingParty(environment).id, tools.clock.now()),
  )
  if (!state || state.postponed || (state.has_factor && !session.amr.includes('mfa'))) return undefined
  if (byOtherDevice) return { page: 'passkey-enrollment-local', state }
  return state.has_passkey ? undefined : { page: 'passkey-enrollment', state }
}

const enrollmentOf = ({ request, transaction }: Visit): Enrollment => ({
  environment: request.environment,
  holder: hashHandle(transaction.state),
  purpose: 'enrollment',
  type: 'passkey',
  demands: PASSKEY,
})

async function show(tools: StepTools, visit: Visit, { page, state }: Offer, refused?: string, status = 200) {
  const person = { userId: visit.session!.user_id, name: state.name, displayName: state.display_name }
  const options = await offerEnrollment(tools, enrollmentOf(visit), person)
  return tools.show(visit, page, { options: JSON.stringify(options), refused }, status)
}
