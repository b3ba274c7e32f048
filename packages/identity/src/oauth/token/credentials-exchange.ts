/**
 * The credentials-exchange trigger: customers' Actions at a machine's token. They see what the machine asks for and would
 * get, and may refuse it, add claims and choose among the scopes that it was granted. A failure refuses the token.
 */
import { applyCredentialsExchange, type CredentialsExchangeEffect } from '../../actions/credentials-exchange.ts'
import { clientEvent } from '../../resources/actions/event.ts'
import { requireSuccess, type Triggered } from '../../resources/actions/triggered.ts'
import { problems } from '../problems.ts'
import { seenRequest } from './seen-request.ts'
import type { TokenRequest } from './token.ts'

interface Exchange {
  audience: string
  organization: object | null
  /** What the request names; nothing means all that was granted. */
  asked: string[]
  /** What the token holds when no Action changes it. */
  scope: string[]
}

/**
 * @returns undefined when no Action is bound
 * @throws Problem `invalid_scope`, `invalid_request`, `failed_by_action` with the Action's reason, or `action_failed`
 */
export type CredentialsExchange = (
  request: TokenRequest,
  exchange: Exchange,
) => Promise<CredentialsExchangeEffect | undefined>

const DENIALS = {
  invalid_scope: problems.invalid_scope,
  invalid_request: problems.invalid_request,
  server_error: problems.failed_by_action,
}

export const createCredentialsExchange =
  (triggered: Pick<Triggered, 'run'>): CredentialsExchange =>
  async (request, { audience, organization, asked, scope }) => {
    const ran = await triggered.run(
      request.environment,
      'credentials-exchange',
      () => {
        const { query: _, ...seen } = seenRequest(request)
        return {
          accessToken: { customClaims: {}, scope },
          client: clientEvent(request.client),
          ...(organization ? { organization } : {}),
          request: seen,
          resource_server: { identifier: audience },
          transaction: { requested_scopes: asked, target_scopes: scope },
        }
      },
      request.about,
    )
    if (!ran) return undefined
    request.about.details = { actions: { executions: [ran.executionId] } }
    const applied = applyCredentialsExchange(requireSuccess(ran, 'The request').commands, scope)
    if (applied.denied) throw DENIALS[applied.denied.code]({ facts: { reason: applied.denied.reason } })
    return applied
  }
