/**
 * May this application do that in my name? Asked for clients of third parties, for APIs that want it of every client, and
 * where the request says so. What is asked stands in the stored request: nothing that is posted adds to it.
 */
import { problems as oauthProblems } from '../../oauth/problems.ts'
import * as consents from '../../resources/grants/consents/store.ts'
import type { Step, StepTools, Visit } from '../login.ts'

const apiOf = ({ configuration }: StepTools, { request, client, transaction }: Visit) => {
  const { audience } = transaction.request
  return audience ? configuration.apiFor(request.environment, client, audience) : undefined
}

const keyOf = ({ client, transaction, session }: Visit): consents.ConsentKey => ({
  user_id: session!.user_id,
  client_id: client.client_id,
  audience: transaction.request.audience ?? null,
  organization_id: transaction.organizationId ?? null,
})

/** The organization may be chosen anew after the page: what was agreed for one is not agreed for another. */
const agreedIn = (visit: Visit): string => `${keyOf(visit).organization_id ?? ''} ${keyOf(visit).user_id}`

/** Everything but `openid`, which is signing in itself. */
const askedOf = ({ transaction }: Visit): string[] => transaction.request.scope.filter((scope) => scope !== 'openid')

async function isAsked(visit: Visit, tools: StepTools): Promise<boolean> {
  if (!visit.client.is_first_party || visit.transaction.request.prompt.includes('consent')) return true
  const api = await apiOf(tools, visit)
  return api !== undefined && !api.skip_consent_for_verifiable_first_party_clients
}

export const consent: Step = {
  name: 'consent',
  silently: 'consent_required',

  async isDue(visit, tools) {
    if (!visit.session || visit.transaction.progress.consented === agreedIn(visit)) return false
    if (!(await isAsked(visit, tools))) return false
    if (visit.transaction.request.prompt.includes('consent')) return true
    const [agreed] = await tools.database.once(visit.request.environment.id, (tx) => consents.agreed(tx, keyOf(visit)))
    return agreed === undefined || askedOf(visit).some((scope) => !agreed.scope.includes(scope))
  },

  async show(tools, visit) {
    const api = await apiOf(tools, visit)
    const asked = askedOf(visit)
    return tools.show(visit, 'consent', {
      email: visit.session!.email,
      api: api?.name ?? api?.identifier,
      scopes: api?.scopes.filter(({ value }) => asked.includes(value)) ?? [],
      own: ['profile', 'email', 'address', 'phone', 'offline_access'].filter((scope) => asked.includes(scope)),
    })
  },

  async submit(tools, visit, form) {
    const { request, transaction } = visit
    const { environment } = request
    if (form.action !== 'accept') {
      const reason = 'User did not authorize the request'
      const problem = oauthProblems.access_denied({ facts: { reason } })
      return tools.decline(visit, problem)
    }
    await tools.database.inEnvironment(environment.id, (tx) =>
      consents.agree(tx, environment.id, keyOf(visit), askedOf(visit), tools.clock.now()),
    )
    const noted = await tools.transactions.note(request, transaction, { consented: agreedIn(visit) })
    return tools.proceed({ ...visit, transaction: noted })
  },
}
