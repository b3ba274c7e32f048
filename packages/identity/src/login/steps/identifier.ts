/**
 * Identifier first: who it is, and on the next page what proves it. What is typed here is looked up nowhere, so the page
 * tells nothing about who has an account; it is kept in the transaction, and the next page shows it with a way back.
 */
import { beginning } from '../../oauth/parameters.ts'
import type { Step, StepTools, Visit } from '../login.ts'
import {
  asksIdentifierFirst,
  entrance,
  loginHint,
  needsSignIn,
  onlyCodes,
  usableConnections,
  waysOn,
} from '../station.ts'
import { enterWithPassword } from './credentials.ts'
import { passkeyValues, signInWithPasskey } from './passkey-sign-in.ts'

/**
 * Where else an identifier may lead than to the password: to an organization or another connection that its domain
 * belongs to. The first that sends an answer decides.
 */
export type IdentifierRoute = (tools: StepTools, visit: Visit, identifier: string) => Promise<unknown>
const ROUTES: readonly IdentifierRoute[] = []

export const identifier: Step = {
  name: 'login/identifier',
  silently: 'login_required',
  station: 'sign-in',
  isDue: (visit) => asksIdentifierFirst(visit) && needsSignIn(visit) && !visit.transaction.progress.identifier,
  isOffered: async (visit, tools) => asksIdentifierFirst(visit) && !(await onlyCodes(tools, visit)),

  show: (tools, visit) => render(tools, visit, { username: visit.transaction.progress.identifier ?? loginHint(visit) }),

  async submit(tools, visit, form) {
    if (form.passkey) {
      const refusal = await signInWithPasskey(tools, visit, await usableConnections(tools, visit), form.passkey)
      return refusal ? render(tools, visit, { refused: refusal.refused }, refusal.status) : visit.reply
    }
    const typed = beginning((form.username ?? '').trim(), 254)
    if (typed === '') return render(tools, visit, { refused: 'no-username' }, 400)
    const transaction = await tools.transactions.note(visit.request, visit.transaction, { identifier: typed })
    const noted = { ...visit, transaction }
    for (const route of ROUTES) {
      await route(tools, noted, typed)
      if (visit.reply.sent) return visit.reply
    }
    return visit.reply
      .header('cache-control', 'no-store')
      .redirect(`/u/${passwordOf.name}?state=${transaction.state}`, 303)
  },
}

const render = async (tools: StepTools, visit: Visit, values: Record<string, unknown>, status = 200) =>
  tools.show(
    visit,
    'login-id',
    {
      ...values,
      ...(await waysOn(tools, visit)),
      ...(await passkeyValues(tools, visit, await usableConnections(tools, visit))),
      ...entrance(visit),
    },
    status,
  )

export const passwordOf: Step = {
  name: 'login/password',
  silently: 'login_required',
  station: 'sign-in',
  isDue: (visit) => asksIdentifierFirst(visit) && needsSignIn(visit),
  isOffered: (visit) => asksIdentifierFirst(visit) && visit.transaction.progress.identifier !== undefined,

  show: (tools, visit) => renderPassword(tools, visit, {}),

  submit: (tools, visit, form) =>
    // What the transaction holds counts, whatever is posted beside the password.
    enterWithPassword(tools, visit, visit.transaction.progress.identifier!, form.password ?? '', (refused, status) =>
      renderPassword(tools, visit, { refused }, status),
    ),
}

const renderPassword = async (tools: StepTools, visit: Visit, values: Record<string, unknown>, status = 200) =>
  tools.show(
    visit,
    'login-password',
    { ...values, username: visit.transaction.progress.identifier, ...(await waysOn(tools, visit)) },
    status,
  )
