/**
 * Accepting an invitation: the address is the invited one and cannot be changed. Whoever has no account here chooses a
 * password, or types a code where people have none; whoever has one signs in with it. Accepting deletes the invitation's
 * row in the same transaction that makes the member, so it happens once or not at all.
 */
import { asker } from '../../../logs/tenant-log.ts'
import { comparableEmail } from '../../../resources/email-address.ts'
import { refusalOfPassword } from '../../../resources/users/passwords/rules.ts'
import { hashPassword } from '../../../upstream/database/password.ts'
import type { Step } from '../../login.ts'
import { attemptOf, checkPassword, refusalOf } from '../../password-check.ts'
import { sendTo } from '../passwordless.ts'
import { accept, newUser } from './accept.ts'
import { findInvited, refuseInvited, renderInvited } from './invited.ts'

export const invitation: Step = {
  name: 'invitation',
  silently: 'interaction_required',
  // Whoever has an account may sign in on the other pages instead, and is known here when they come back.
  station: 'sign-in',
  isDue: (visit) => visit.transaction.invitationId !== undefined,
  isOffered: (visit) => visit.transaction.invitationId !== undefined,

  async show(tools, visit) {
    const invited = await findInvited(tools, visit)
    return invited ? renderInvited(tools, visit, invited, {}) : refuseInvited(tools, visit)
  },

  async submit(tools, visit, form) {
    const invited = await findInvited(tools, visit)
    if (!invited) return refuseInvited(tools, visit)
    const email = invited.row.invitee.email
    if (invited.known === 'signed-in') return accept(tools, visit, invited, { userId: visit.session!.user_id })
    if (invited.known === 'code') {
      if (await sendTo(tools, visit, invited.mail!, comparableEmail(email))) return visit.reply
      return renderInvited(tools, visit, invited, { refused: 'too-many-codes' }, 429)
    }

    const password = form.password ?? ''
    if (invited.known === 'account') {
      const checked = await checkPassword(tools, attemptOf(visit), invited.databases, email, password)
      if (checked.outcome !== 'right') {
        const { status, text } = refusalOf(checked.outcome)
        if (status === 429) visit.reply.header('retry-after', '900')
        return renderInvited(tools, visit, invited, { refused: text, wrong: 'password' }, status)
      }
      return accept(tools, visit, invited, checked)
    }
    const connection = invited.databases[0]!
    const username = (form.username ?? '').trim().slice(0, 128)
    const refuse = (refused: string, wrong: 'username' | 'password') =>
      renderInvited(tools, visit, invited, { refused, wrong, username }, 400)
    const user = newUser(tools, invited, connection, username)
    if (!user) return refuse('invalid-username', 'username')
    const violation = await refusalOfPassword(tools, {
      environmentId: visit.request.environment.id,
      options: connection.options,
      plain: password,
      person: { ...user, name: invited.organizationName },
      about: { ...asker(visit.request), client_id: visit.client.client_id, user_name: email },
    })
    if (violation) return refuse(violation.name, 'password')
    const password_hash = await hashPassword(password)
    return accept(tools, visit, invited, { connection, user: { ...user, password_hash } })
  },
}
