/**
 * Which organization? Asked before the sign-in when the client requires one and the request names none. It is found by its
 * name, or by the domain of an address that it has verified. Nothing is said of what is not found.
 */
import type { Client, OrganizationConfiguration } from '../../oauth/configuration.ts'
import { isEmailAddress } from '../../resources/email-address.ts'
import type { Step, StepTools, Visit } from '../login.ts'
import { asksBefore } from '../organization-behavior.ts'
import { asksForSignUp, entrance } from '../station.ts'

/** People type the name as they say it; names are lower case with hyphens. */
export const normalizeName = (typed: string): string => typed.trim().toLowerCase().replace(/\s+/g, '-')

const methodsOf = ({ organization_discovery_methods: methods }: Client) => ({
  byName: methods === null || methods.includes('organization_name'),
  byEmail: methods?.includes('email') ?? false,
})

export const organization: Step = {
  name: 'organization',
  silently: 'interaction_required',
  isDue: (visit) => asksBefore(visit) && visit.transaction.organizationId === undefined,
  mayReturn: asksBefore,

  show: (tools, visit) => render(tools, visit, {}),

  async submit(tools, visit, form) {
    const typed = (form.organizationName ?? '').trim().slice(0, 254)
    const found = await discover(tools, visit, typed)
    // Nothing is said of one that is suspended, either.
    if (!found || found.is_suspended)
      return render(tools, visit, { typed: typed.slice(0, 60), refused: 'invalid-organization' }, 400)
    await tools.transactions.choose(visit.request, visit.transaction, found.organization_id)
    if (isEmailAddress(typed)) await tools.transactions.note(visit.request, visit.transaction, { typedEmail: typed })
    // A browser that is signed in already is let through by that page.
    const page = asksForSignUp(visit) ? '/u/signup' : entrance(visit).login_page
    return visit.reply.redirect(`${page}?state=${visit.transaction.state}`, 303)
  },
}

async function discover(
  { configuration }: StepTools,
  { request, client }: Visit,
  typed: string,
): Promise<OrganizationConfiguration | undefined> {
  const { byName, byEmail } = methodsOf(client)
  const environmentId = request.environment.id
  if (byEmail && isEmailAddress(typed)) {
    return configuration.organizationOfDomain(environmentId, typed.split('@')[1]!.toLowerCase())
  }
  const name = normalizeName(typed)
  const canBeName = byName && name.length > 0 && name.length <= 50 && !name.startsWith('org_')
  return canBeName ? configuration.organization(environmentId, name) : undefined
}

const render = (tools: StepTools, visit: Visit, values: Record<string, unknown>, status = 200) => {
  const { byName, byEmail } = methodsOf(visit.client)
  return tools.show(
    visit,
    'organization',
    { ...values, by: byName && byEmail ? 'both' : byEmail ? 'email' : 'name' },
    status,
  )
}
