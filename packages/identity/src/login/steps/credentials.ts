/** Address and password, on one page as Auth0's. */
import type { Step } from '../login.ts'
import { checkPassword, refusalText } from '../password-check.ts'

export const credentials: Step = {
  name: 'login',
  isDue: (visit) => visit.session === undefined && visit.transaction.invitationId === undefined,

  show: (tools, visit) =>
    tools.show(visit, 'login', {
      username: visit.transaction.request.login_hint ?? '',
      may_change_organization: mayChange(visit),
    }),

  async submit(tools, visit, form) {
    const { request, reply, client, transaction } = visit
    const username = (form.username ?? '').slice(0, 254)
    const usable = await tools.configuration.connections(
      request.environment.id,
      client.client_id,
      transaction.organizationId,
    )
    const named = transaction.request.connection
    const connections = named ? usable.filter(({ name }) => name === named) : usable
    const checked = await checkPassword(tools, visit, connections, username, form.password ?? '')
    if (checked.outcome !== 'right') {
      const { status, text } = refusalText(checked.outcome)
      if (status === 429) reply.header('retry-after', '900')
      return tools.show(visit, 'login', { username, refused: text, may_change_organization: mayChange(visit) }, status)
    }
    const { userId, connectionId, proof } = checked
    const session = await tools.sessions.start(request, reply, { userId, connectionId, amr: ['pwd'], proof })
    if (!session) {
      const { status, text } = refusalText('wrong')
      return tools.show(visit, 'login', { username, refused: text, may_change_organization: mayChange(visit) }, status)
    }
    return tools.proceed({ ...visit, session })
  },
}

const mayChange = ({ client, transaction }: Parameters<Step['isDue']>[0]): boolean =>
  client.organization_usage === 'require' && transaction.request.organization_id === undefined
