/** Address and password, on one page as Auth0's, or a passkey, which needs neither. */
import type { FastifyReply } from 'fastify'
import type { Step, StepTools, Visit } from '../login.ts'
import { attemptOf, checkPassword, refusalOf } from '../password-check.ts'
import {
  asksIdentifierFirst,
  loginHint,
  mayChangeAccount,
  needsSignIn,
  onlyCodes,
  usableConnections,
  waysOn,
} from '../station.ts'
import { passkeyValues, signInWithPasskey } from './passkey-sign-in.ts'

export const credentials: Step = {
  name: 'login',
  silently: 'login_required',
  station: 'sign-in',
  isDue: needsSignIn,
  isOffered: async (visit, tools) => !asksIdentifierFirst(visit) && !(await onlyCodes(tools, visit)),
  mayReturn: async (visit, tools) => mayChangeAccount(visit) && !(await onlyCodes(tools, visit)),

  show: (tools, visit) => render(tools, visit, { username: loginHint(visit) }),

  async submit(tools, visit, form) {
    if (form.passkey) {
      const refusal = await signInWithPasskey(tools, visit, await usableConnections(tools, visit), form.passkey)
      return refusal ? render(tools, visit, { refused: refusal.refused }, refusal.status) : visit.reply
    }
    const username = (form.username ?? '').slice(0, 254)
    return enterWithPassword(tools, visit, username, form.password ?? '', (refused, status) =>
      render(tools, visit, { username, refused }, status),
    )
  },
}

const render = async (tools: StepTools, visit: Visit, values: Record<string, unknown>, status = 200) =>
  tools.show(
    visit,
    'login',
    {
      ...values,
      ...(await waysOn(tools, visit)),
      ...(await passkeyValues(tools, visit, await usableConnections(tools, visit))),
    },
    status,
  )

/** Signs in with what was typed, or shows the page again with what is wrong. */
export async function enterWithPassword(
  tools: StepTools,
  visit: Visit,
  identifier: string,
  password: string,
  again: (refused: string, status: number) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const connections = await usableConnections(tools, visit)
  const checked = await checkPassword(tools, attemptOf(visit), connections, identifier, password)
  if (checked.outcome === 'right') {
    const { userId, connectionId, proof } = checked
    if (await tools.signIn(visit, { userId, connectionId, amr: ['pwd'], proof })) return visit.reply
  }
  const { status, text } = refusalOf(checked.outcome === 'right' ? 'wrong' : checked.outcome)
  if (status === 429) visit.reply.header('retry-after', '900')
  return again(text, status)
}
