/** Auth0's grant for a code that was sent by /passwordless/start: whoever types it into the client is signed in. */
import { checkCode, recipientOf } from '../../../login/passwordless/passwordless.ts'
import { isPasswordless } from '../../../resources/connections/passwordless.ts'
import { problems } from '../../problems.ts'
import { readDirectRequest, signInDirectly } from '../direct.ts'
import { type GrantHandler, required } from '../token.ts'

export const PASSWORDLESS_OTP = 'http://auth0.com/oauth/grant-type/passwordless/otp'

export const passwordlessOtp: GrantHandler = async (deps, request) => {
  const { environment, client, parameters } = request
  const [username, otp, realm] = ['username', 'otp', 'realm'].map((name) => required(parameters, name))
  const asked = await readDirectRequest(deps, request)
  const connection = asked.connections.find(({ name, strategy }) => name === realm && isPasswordless(strategy))
  if (!connection) throw problems.invalid_realm()
  const wrong = connection.strategy === 'sms' ? problems.wrong_phone_code : problems.wrong_email_code
  request.about.user_name = username!.slice(0, 254)
  const recipient = recipientOf(connection, username!)
  if (!recipient) throw wrong()
  const place = {
    environment,
    environmentId: environment.id,
    client,
    organizationId: asked.organization?.organization_id,
    asker: request.asker,
  }
  const checked = await checkCode(deps, place, connection, recipient, otp!)
  if (checked.outcome === 'blocked') throw problems.unauthorized()
  if (checked.outcome === 'too_many') throw problems.too_many_attempts()
  if (checked.outcome === 'denied') throw problems.access_denied({ facts: { reason: checked.message } })
  if (checked.outcome !== 'right') throw wrong()
  // Auth0's events know no protocol of this grant; it is a direct sign-in like that with a password.
  const tokens = await signInDirectly(deps, request, asked, checked, { protocol: 'oauth2-password' })
  if (!tokens) throw wrong()
  return tokens
}
