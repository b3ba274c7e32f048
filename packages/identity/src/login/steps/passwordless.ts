/**
 * Signing in with a code: whom it goes to, and on the next page what arrived. The code belongs to this login in this
 * browser; the link in a mail opens the second page with the code in it, and uses nothing up.
 */
import { parseQuery } from '@tenantry/kernel/http/body.ts'
import type { FastifyReply } from 'fastify'
import type { Connection } from '../../oauth/configuration.ts'
import { findById } from '../../resources/organizations/invitations/store.ts'
import type { Step, StepTools, Visit } from '../login.ts'
import { attemptOf, refusalOf } from '../password-check.ts'
import { checkCode, type Place, recipientOf, sendCode } from '../passwordless/passwordless.ts'
import {
  codeConnections,
  entrance,
  loginHint,
  mayChangeAccount,
  needsSignIn,
  onlyCodes,
  usableConnections,
} from '../station.ts'
import { transactionEvent } from '../transaction-event.ts'

const placeOf = async (tools: StepTools, visit: Visit): Promise<Place> => ({
  ...attemptOf(visit),
  environment: visit.request.environment,
  client: visit.client,
  state: visit.transaction.progress.code?.by === 'api' ? undefined : visit.transaction.state,
  transaction: transactionEvent(visit.transaction.request, visit.request),
  invited: await invitedTo(tools, visit),
})

/** Whom the invitation of this login is for, as long as it can be accepted. */
async function invitedTo({ database, clock }: StepTools, { request, transaction }: Visit): Promise<Place['invited']> {
  if (!transaction.invitationId) return undefined
  const row = await database.inEnvironment(request.environment.id, (tx) => findById(tx, transaction.invitationId!))
  return row && row.expires_at > clock.now()
    ? { email: row.invitee.email, connectionId: row.connection_id ?? undefined }
    : undefined
}

const hasCodes = async (visit: Visit, tools: StepTools) =>
  codeConnections(await usableConnections(tools, visit)).length > 0

export const codeRequest: Step = {
  name: 'login/code',
  silently: 'login_required',
  station: 'sign-in',
  // Where there are passwords too, the page for them comes first and leads here.
  isDue: async (visit, tools) => needsSignIn(visit) && onlyCodes(tools, visit),
  isOffered: hasCodes,
  mayReturn: async (visit, tools) => mayChangeAccount(visit) && hasCodes(visit, tools),

  show: (tools, visit) => renderRequest(tools, visit, { recipient: loginHint(visit) }),

  async submit(tools, visit, form) {
    const typed = (form.recipient ?? '').slice(0, 254)
    for (const connection of codeConnections(await usableConnections(tools, visit))) {
      const recipient = recipientOf(connection, typed)
      if (!recipient) continue
      if (await sendTo(tools, visit, connection, recipient)) return visit.reply
      return renderRequest(tools, visit, { recipient: typed, refused: 'too-many-codes' }, 429)
    }
    return renderRequest(tools, visit, { recipient: typed, refused: 'invalid-recipient' }, 400)
  },
}

/**
 * Sends a code, where somebody may sign in with it, and leads to the page on which it is typed.
 *
 * @returns false when too many were sent, and how long to wait is in the headers
 */
export async function sendTo(
  tools: StepTools,
  visit: Visit,
  connection: Connection,
  recipient: string,
): Promise<boolean> {
  const place = { ...(await placeOf(tools, visit)), state: visit.transaction.state }
  const outcome = await sendCode(tools, place, connection, recipient)
  if (outcome === 'too_many') {
    visit.reply.header('retry-after', '3600')
    return false
  }
  const learned = { code: { connection_id: connection.id, recipient } }
  const transaction = await tools.transactions.note(visit.request, visit.transaction, learned)
  const next = `/u/${codeChallenge.name}?state=${transaction.state}`
  visit.reply.header('cache-control', 'no-store').redirect(next, 303)
  return true
}

async function renderRequest(
  tools: StepTools,
  visit: Visit,
  values: Record<string, unknown>,
  status = 200,
): Promise<FastifyReply> {
  const usable = await usableConnections(tools, visit)
  const strategies = codeConnections(usable).map(({ strategy }) => strategy)
  const by = strategies.includes('email') ? (strategies.includes('sms') ? 'both' : 'email') : 'sms'
  const others = usable.length > strategies.length ? entrance(visit) : {}
  return tools.show(visit, 'passwordless', { ...values, ...others, by }, status)
}

export const codeChallenge: Step = {
  name: 'login/code-challenge',
  silently: 'login_required',
  station: 'sign-in',
  isDue: (visit) => needsSignIn(visit) && visit.transaction.progress.code !== undefined,
  isOffered: ({ transaction }) => transaction.progress.code !== undefined,
  mayReturn: (visit) => mayChangeAccount(visit) && visit.transaction.progress.code !== undefined,

  show: (tools, visit) => {
    const code = parseQuery(visit.request.raw.url ?? '').code ?? ''
    return renderChallenge(tools, visit, { code: /^\d{4,10}$/.test(code) ? code : '' })
  },

  async submit(tools, visit, form) {
    const { connection_id, recipient } = visit.transaction.progress.code!
    // It may have been turned off since.
    const connection = codeConnections(await usableConnections(tools, visit)).find(({ id }) => id === connection_id)
    if (!connection) return renderChallenge(tools, visit, { refused: 'wrong-code' }, 400)
    if (form.action === 'resend') {
      const outcome = await sendCode(tools, await placeOf(tools, visit), connection, recipient)
      return outcome === 'sent'
        ? renderChallenge(tools, visit, { sent: true })
        : renderChallenge(tools, visit, { refused: 'too-many-codes' }, 429)
    }
    const place = await placeOf(tools, visit)
    const checked = await checkCode(tools, place, connection, recipient, (form.code ?? '').slice(0, 40))
    if (checked.outcome === 'right') {
      const { userId, connectionId, proof, amr } = checked
      if (await tools.signIn(visit, { userId, connectionId, proof, amr })) return visit.reply
    }
    if (checked.outcome === 'denied') return renderChallenge(tools, visit, { refused: checked.message }, 400)
    const outcome = checked.outcome === 'right' ? 'wrong' : checked.outcome
    const { status, text } = refusalOf(outcome)
    if (status === 429) visit.reply.header('retry-after', '900')
    return renderChallenge(tools, visit, { refused: outcome === 'wrong' ? 'wrong-code' : text }, status)
  },
}

const renderChallenge = (tools: StepTools, visit: Visit, values: Record<string, unknown>, status = 200) =>
  tools.show(visit, 'passwordless-code', { ...values, recipient: visit.transaction.progress.code!.recipient }, status)
