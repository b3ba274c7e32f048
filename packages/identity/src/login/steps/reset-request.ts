/** A forgotten password: the address is asked for, and a mail leads on. The page says the same of every address. */
import type { FastifyRequest } from 'fastify'
import { isEmailAddress } from '../../resources/email-address.ts'
import type { Step, StepTools, Visit } from '../login.ts'
import { mailResetAfter, takesResets } from '../password-reset.ts'
import { entrance, loginHint, usableConnections } from '../station.ts'

/** The connection in the page's address, if its people may choose new passwords here. */
async function connectionFor(tools: StepTools, visit: Visit) {
  const { connection: name } = (visit.request as FastifyRequest<{ Params: { connection?: string } }>).params
  const usable = await usableConnections(tools, visit)
  return usable.find((each) => each.name === name && takesResets(each))
}

export const resetRequest: Step = {
  name: 'reset-password/request/:connection',
  silently: 'login_required',
  station: 'sign-in',
  isDue: () => false,
  isOffered: async (visit, tools) => (await connectionFor(tools, visit)) !== undefined,

  show: (tools, visit) => render(tools, visit, { email: loginHint(visit) }),

  async submit(tools, visit, form) {
    const connection = (await connectionFor(tools, visit))!
    const email = (form.email ?? '').trim().slice(0, 254)
    if (!isEmailAddress(email)) return render(tools, visit, { email, refused: 'invalid-email-format' }, 400)
    const { client, transaction } = visit
    const asked = { client, connection, email, organizationId: transaction.organizationId }
    if (!(await mailResetAfter(visit.reply, tools, asked))) {
      visit.reply.header('retry-after', '900')
      return render(tools, visit, { email, refused: 'too-many-tries' }, 429)
    }
    return tools.show(visit, 'reset-password-email', { email, connection: connection.name, ...entrance(visit) })
  },
}

const render = async (tools: StepTools, visit: Visit, values: Record<string, unknown>, status = 200) => {
  const { name } = (await connectionFor(tools, visit))!
  return tools.show(visit, 'reset-password-request', { ...values, connection: name, ...entrance(visit) }, status)
}
