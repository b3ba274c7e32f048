/**
 * /dbconnections/change_password: somebody asks for a mail with which to choose a new password. The answer is one and the
 * same whether the address belongs to anybody.
 */
import type { Api } from '@tenantry/kernel/http/slice.ts'
import {
  type AskedReset,
  mailResetAfter,
  type PasswordResetDependencies,
  takesResets,
} from '../login/password-reset.ts'
import { isEmailAddress } from '../resources/email-address.ts'
import type { Configuration } from './configuration.ts'
import { openOrganization } from './organization.ts'
import { readParameters } from './parameters.ts'
import { problems } from './problems.ts'
import { required } from './token/token.ts'

export interface ChangePasswordDependencies extends PasswordResetDependencies {
  configuration: Configuration
}

export const changePassword = (deps: ChangePasswordDependencies) => async (app: Api) => {
  app.post('/dbconnections/change_password', async (request, reply) => {
    const parameters = readParameters(request.body)
    const [clientId, email, realm] = ['client_id', 'email', 'connection'].map((name) => required(parameters, name))
    const { environment } = request
    const client = await deps.configuration.client(environment.id, clientId!)
    if (!client || client.global) throw refuse('This application is not known here. Check its client_id.')
    if (!isEmailAddress(email!)) throw refuse('The parameter email is not an e-mail address.')
    const named = parameters.organization
    const organization = named ? await openOrganization(deps.configuration, environment, named) : undefined
    if (named && !organization) throw refuse('The organization does not exist.')
    const organizationId = organization?.organization_id
    const usable = await deps.configuration.connections(environment.id, client.client_id, organizationId)
    const connection = usable.find(({ name, strategy }) => name === realm && strategy === 'auth0')
    if (!connection) throw refuse('The connection is not one of this application.')
    if (!takesResets(connection)) throw refuse('People do not change their passwords themselves in this connection.')
    const asked: AskedReset = { client, connections: [connection], identifier: email!, organizationId }
    if (!(await mailResetAfter(reply, deps, asked))) throw problems.too_many_mails()
    return reply
      .type('text/html; charset=utf-8')
      .header('cache-control', 'no-store')
      .send("We've just sent you an email to reset your password.")
  })
}

const refuse = (reason: string) => problems.invalid_request({ facts: { reason } })
