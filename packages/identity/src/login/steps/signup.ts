/** Signing up: an address and a password, and a username where the connection asks for one. */
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import { asker } from '../../logs/tenant-log.ts'
import { problems as oauthProblems } from '../../oauth/problems.ts'
import { isEmailAddress } from '../../resources/email-address.ts'
import { identityOf, usernameLimits } from '../../resources/users/rules.ts'
import { passwordLimits, passwordRules } from '../../upstream/database/policy.ts'
import { readCookie } from '../cookies.ts'
import type { Step, StepTools, Visit } from '../login.ts'
import { asksBefore } from '../organization-behavior.ts'
import { isPartialField } from '../partial-fields.ts'
import { passkeyConnections } from '../passkeys.ts'
import { signUp } from '../sign-up.ts'
import { asksForSignUp, entrance, loginHint, needsSignIn, signUpConnection } from '../station.ts'
import { recordLogin } from '../store.ts'
import { transactionEvent } from '../transaction-event.ts'

const isSignUpOffered = async (visit: Visit, tools: StepTools): Promise<boolean> =>
  (await signUpConnection(tools, visit)) !== undefined

/** Everything that our form has. What is in none is refused, not dropped: `email_verified`, `app_metadata`, … */
const FIELDS = ['state', '_csrf', 'action', 'webauthn-available', 'email', 'username', 'password']

export const signup: Step = {
  name: 'signup',
  silently: 'login_required',
  station: 'sign-in',
  isDue: async (visit, tools) => needsSignIn(visit) && asksForSignUp(visit) && isSignUpOffered(visit, tools),
  isOffered: isSignUpOffered,

  show: (tools, visit) => render(tools, visit, { email: loginHint(visit) }),

  async submit(tools, visit, form) {
    const { request, reply, client, transaction } = visit
    const unknown = Object.keys(form).find((name) => !FIELDS.includes(name) && !isPartialField(name))
    if (unknown !== undefined) {
      throw oauthProblems.invalid_request({ facts: { reason: `The form has no field ${unknown.slice(0, 60)}.` } })
    }
    const connection = (await signUpConnection(tools, visit))!
    const typed = {
      email: (form.email ?? '').trim().slice(0, 254),
      username: (form.username ?? '').trim().slice(0, 128),
    }
    /** @param wrong the field that has to be typed anew, if it is one */
    const refuse = (refused: string, wrong?: 'email' | 'username' | 'password', status = 400) =>
      render(tools, visit, { ...typed, refused, wrong }, status)
    if (!(await tools.lockout.admitSignUp(request.environment.id, request.ip))) {
      reply.header('retry-after', '900')
      return refuse('too-many-tries', undefined, 429)
    }
    if (!isEmailAddress(typed.email)) return refuse('invalid-email-format', 'email')
    const isProvenFirst = connection.options.attributes?.email.signup?.verification?.active !== false
    const signedUp = await signUp(tools, {
      environment: request.environment,
      asker: asker(request),
      client,
      connection,
      organizationId: transaction.organizationId,
      profile: {
        email: typed.email,
        password: form.password ?? '',
        ...(connection.options.requires_username ? { username: typed.username } : {}),
      },
      body: transaction.progress.fields,
      transaction: transactionEvent(transaction.request, request),
      // Without the cookie there would be no transaction.
      provenIn: isProvenFirst ? hashHandle(readCookie(request, 'browser')!) : undefined,
    })
    switch (signedUp.outcome) {
      case 'weak':
        return refuse(signedUp.violation.name, 'password')
      // Of what this form has nothing else can be.
      case 'invalid':
        return refuse('invalid-username', 'username')
      case 'denied':
        return refuse(signedUp.message)
      case 'username_exists':
        return refuse('username-taken', 'username')
      case 'exists':
        if (!isProvenFirst) return refuse('no-signup', 'email')
    }
    if (isProvenFirst) {
      const noted = await tools.transactions.note(request, transaction, { signUp: { email: typed.email } })
      return tools.proceed({ ...visit, transaction: noted })
    }
    const { user } = signedUp as Extract<typeof signedUp, { outcome: 'created' }>
    await tools.database.once(request.environment.id, (tx) =>
      recordLogin(tx, user.user_id, tools.clock.now(), request.ip),
    )
    const proof = { ...identityOf(user.user_id), password_hash: user.password_hash }
    const person = { userId: user.user_id, connectionId: connection.id, amr: ['pwd'], proof }
    return (await tools.signIn(visit, person)) ? visit.reply : tools.proceed(visit)
  },
}

async function render(tools: StepTools, visit: Visit, values: Record<string, unknown>, status = 200) {
  const connection = (await signUpConnection(tools, visit))!
  const { options } = connection
  const { min: shortest, max: longest } = usernameLimits(options)
  return tools.show(
    visit,
    'signup',
    {
      ...values,
      passkeys: passkeyConnections([connection]).length > 0,
      asks_username: options.requires_username === true,
      shortest,
      longest,
      password_rules: passwordRules(options),
      ...passwordLimits(options),
      may_change_organization: asksBefore(visit),
      ...entrance(visit),
    },
    status,
  )
}
