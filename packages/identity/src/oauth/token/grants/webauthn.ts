/**
 * Auth0's passkey grant: the answer to a challenge of /passkey/challenge, or of /passkey/register. It is checked as on the
 * login page, and used up with the first try; client, database and organization are those that asked for the challenge.
 */
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import { checkPasskey } from '../../../login/passkeys.ts'
import { readResponse } from '../../../login/webauthn/ceremonies.ts'
import { PASSKEY_GRANT, passkeyRealm } from '../../passkey.ts'
import { finishPasskeySignUp } from '../../passkey-sign-up.ts'
import { problems } from '../../problems.ts'
import { type ProvenPerson, readDirectRequest, signInDirectly } from '../direct.ts'
import { type GrantHandler, required } from '../token.ts'

export { PASSKEY_GRANT }

export const webauthn: GrantHandler = async (deps, request) => {
  const { environment, client, parameters, asker } = request
  const holder = hashHandle(required(parameters, 'auth_session'))
  const given = required(parameters, 'authn_response')
  const asked = await readDirectRequest(deps, request)
  const realm = await passkeyRealm(deps.configuration, environment, client, parameters)
  // Actions tell it by this protocol from a sign-in on a page.
  const how = { grantType: 'passkey', protocol: 'oauth2-webauthn' }
  const signIn = async (person: Pick<ProvenPerson, 'userId' | 'connectionId' | 'proof'>) => {
    const tokens = await signInDirectly(deps, request, asked, { ...person, amr: ['passkey'] }, how)
    if (!tokens) throw problems.invalid_passkey()
    return tokens
  }
  if (readResponse(given)?.response.attestationObject !== undefined) {
    return signIn(await finishPasskeySignUp(deps, request, realm, { holder, given }))
  }
  const { connection, organizationId } = realm
  const checked = await checkPasskey(
    deps,
    environment,
    { environmentId: environment.id, client, organizationId, asker },
    {
      holder,
      connections: [connection],
      given,
      details: { client_id: client.client_id, connection_id: connection.id, organization_id: organizationId ?? null },
    },
  )
  if (checked.outcome === 'blocked') throw problems.unauthorized()
  if (checked.outcome !== 'right') throw problems.invalid_passkey()
  return signIn(checked)
}
