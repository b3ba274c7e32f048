/** Which organization? Asked before the sign-in when the client requires one and the request names none. */
import type { Step, Visit } from '../login.ts'

const asks = ({ client, transaction }: Visit): boolean =>
  client.organization_usage === 'require' &&
  client.organization_require_behavior === 'pre_login_prompt' &&
  transaction.request.organization_id === undefined

/** People type the name as they say it; names are lower case with hyphens. */
export const normalizeName = (typed: string): string => typed.trim().toLowerCase().replace(/\s+/g, '-')

export const organization: Step = {
  name: 'organization',
  isDue: (visit) => asks(visit) && visit.transaction.organizationId === undefined,
  mayReturn: asks,

  show: (tools, visit) => tools.show(visit, 'organization', {}),

  async submit(tools, visit, form) {
    const typed = form.organizationName ?? ''
    const name = normalizeName(typed)
    const found =
      name.length > 0 && name.length <= 50 && !name.startsWith('org_')
        ? await tools.configuration.organization(visit.request.environment.id, name)
        : undefined
    if (!found) return tools.show(visit, 'organization', { typed: typed.slice(0, 60), refused: true }, 400)
    await tools.transactions.choose(visit.request, visit.transaction, found.organization_id)
    // A browser that is signed in already is let through by that page.
    return visit.reply.redirect(`/u/login?state=${visit.transaction.state}`, 303)
  },
}
