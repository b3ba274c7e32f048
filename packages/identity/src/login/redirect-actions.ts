/**
 * Actions that send people away (`api.redirect.sendUserTo`) and go on when they return to /continue.
 *
 * The address that the Action names gets a `state` of two parts: the transaction, and a handle that is good once. Only the
 * browser that began the transaction can redeem it, in one statement, so that neither a second return nor somebody else's
 * browser finds anything. A person who goes back to our pages instead is sent away again, with a new handle.
 */
import { parseQuery } from '@tenantry/kernel/http/body.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { destinationOf, type SendUserTo } from '../actions/redirect.ts'
import type { Resume } from '../actions/runner.ts'
import { readForm } from '../oauth/parameters.ts'
import type { Step, StepTools, Visit } from './login.ts'

/** Where an Action sends the person, and how the Actions go on afterwards. */
export interface SentAway extends Resume, SendUserTo {}

/** Kept in the transaction while the person is away. */
export interface Absence extends SentAway {
  user_id: string
  organization_id: string | null
  /** What has run so far. */
  executions: string[]
}

/** How the person came back. */
export interface Returned {
  from: Absence
  query: Record<string, string>
  body: Record<string, string>
}

/** What was meant for somebody else, or for another organization, does not count. */
export const isOf = ({ user_id, organization_id }: Absence, { transaction, session }: Visit): boolean =>
  user_id === session?.user_id && organization_id === (transaction.organizationId ?? null)

/** Where the person of this visit is to go. */
function absenceOf(visit: Visit): Absence | undefined {
  const { absence } = visit.transaction.progress
  return absence && isOf(absence, visit) ? absence : undefined
}

/** The address that the Action named, with a fresh way back. */
export async function addressOf({ transactions }: Pick<StepTools, 'transactions'>, visit: Visit): Promise<string> {
  const handle = await transactions.awaitReturn(visit.request, visit.transaction)
  return destinationOf(absenceOf(visit)!, `${visit.transaction.state}.${handle}`)!
}

/**
 * A page that leads away by itself. A redirect would not do after a form was posted: browsers apply our policy for forms
 * (`form-action`) to it, and where Actions lead to is not known when a form is shown.
 */
export const redirect: Step = {
  name: 'redirect',
  silently: 'interaction_required',
  isDue: (visit) => absenceOf(visit) !== undefined,
  async show(tools, visit) {
    return tools.show(visit, 'redirect', { target: await addressOf(tools, visit) })
  },
  submit: (tools, visit) => tools.proceed(visit),
}

/** /continue, which Auth0 has for GET and POST. A POST from another site carries no cookie of ours, and finds nothing. */
export function serveContinue(
  app: Api,
  goOn: (
    request: FastifyRequest,
    reply: FastifyReply,
    state: string | undefined,
    said: Omit<Returned, 'from'>,
  ) => Promise<FastifyReply>,
): void {
  app.get('/continue', async (request, reply) => {
    const query = parseQuery(request.raw.url ?? '')
    return goOn(request, reply, query.state, { query, body: {} })
  })
  app.post('/continue', { bodyLimit: 64 * 1024 }, async (request, reply) => {
    const query = parseQuery(request.raw.url ?? '')
    const body = readForm(request.body)
    return goOn(request, reply, query.state ?? body.state, { query, body })
  })
}
