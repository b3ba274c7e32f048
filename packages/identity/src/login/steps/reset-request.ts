/**
 * A forgotten password: the address is asked for, or the username where there are such, and a mail leads on. The page says
 * the same of each.
 */
import type { FastifyRequest } from 'fastify'
import { isEmailAddress } from '../../resources/email-address.ts'
import type { Step, StepTools, Visit } from '../login.ts'
import { realmsOf } from '../password-check.ts'
import { type AskedReset, mailResetAfter, takesResets } from '../password-reset.ts'
import { entrance, loginHint, usableConnections } from '../station.ts'

/**
 * The connection in the page's address, if its people may choose new passwords here, and after it the others of this
 * sign-in: the password that was forgotten may be one of theirs.
 */
async function connectionsFor(tools: StepTools, visit: Visit): Promise<AskedReset['connections'] | undefined> {
  const { connection: name } = (visit.request as FastifyRequest<{ Params: { connection?: string } }>).params
  const usable = (await usableConnections(tools, visit)).filter(takesResets)
  const named = usable.find((each) => each.name === name)
  return named && [named, ...usable.filter((each) => each !== named)]
}

const knowUsernames = (connections: AskedReset['connections']) => realmsOf(connections).withUsernames.length > 0

export const resetRequest: Step = {
  name: 'reset-password/request/:connection',
  silently: 'login_required',
  station: 'sign-in',
  isDue: () => false,
  isOffered: async (visit, tools) => (await connectionsFor(tools, visit)) !== undefined,

  show: (tools, visit) => render(tools, visit, { email: loginHint(visit) }),

  async submit(tools, visit, form) {
    const connections = (await connectionsFor(tools, visit))!
    const email = (form.email ?? '').trim().slice(0, 254)
    const byUsername = knowUsernames(connections)
    if (!isEmailAddress(email) && (!byUsername || email === '')) {
      return render(tools, visit, { email, refused: byUsername ? 'no-username' : 'invalid-email-format' }, 400)
    }
    const { client, transaction } = visit
    const asked = { client, connections, identifier: email, organizationId: transaction.organizationId }
    if (!(await mailResetAfter(visit.reply, tools, asked))) {
      visit.reply.header('retry-after', '900')
      return render(tools, visit, { email, refused: 'too-many-tries' }, 429)
    }
    const sent = { email, by_username: !isEmailAddress(email), connection: connections[0].name }
    return tools.show(visit, 'reset-password-email', { ...sent, ...entrance(visit) })
  },
}

const render = async (tools: StepTools, visit: Visit, values: Record<string, unknown>, status = 200) => {
  const connections = (await connectionsFor(tools, visit))!
  const known = { connection: connections[0].name, by_username: knowUsernames(connections) }
  return tools.show(visit, 'reset-password-request', { ...values, ...known, ...entrance(visit) }, status)
}
