/**
 * /dbconnections/signup: an account by API, as Auth0 has it. Its errors have a shape of their own, which its SDKs and
 * forms read. That an address is taken is said in words that are used for other reasons too (`invalid_signup`), unless the
 * environment has chosen otherwise; whoever tries must make accounts and write to strangers to learn more, and an address
 * has few tries.
 */
import type { Database } from '@tenantry/kernel/database/database.ts'
import { logProblem, toProblem } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { FastifyReply } from 'fastify'
import type { Lockout } from '../login/lockout.ts'
import { type SignUpDependencies, signUp, takesSignUps } from '../login/sign-up.ts'
import { asker } from '../logs/tenant-log.ts'
import { isEmailAddress } from '../resources/email-address.ts'
import { identityOf } from '../resources/users/rules.ts'
import { present } from '../resources/wire.ts'
import { policyText, strengthOf } from '../upstream/database/strength.ts'
import type { Configuration } from './configuration.ts'
import { openOrganization } from './organization.ts'

export interface SignupDependencies extends SignUpDependencies {
  database: Database
  configuration: Configuration
  lockout: Lockout
}

/** All that may be said of oneself; anything else (`email_verified`, `app_metadata`, …) is refused, not dropped. */
const PROFILE = ['username', 'given_name', 'family_name', 'name', 'nickname', 'picture'] as const
const MEMBERS = [
  ...PROFILE,
  'client_id',
  'email',
  'password',
  'connection',
  'organization',
  'user_metadata',
] as string[]

interface Failure {
  name: string
  code: string
  description: unknown
  statusCode: number
  [more: string]: unknown
}

const bad = (code: string, description: string, statusCode = 400): Failure => ({
  name: 'BadRequestError',
  code,
  description,
  statusCode,
})

export const signup = (deps: SignupDependencies) => async (app: Api) => {
  app.post('/dbconnections/signup', async (request, reply) => {
    const answer = (failure: Failure): FastifyReply =>
      reply.code(failure.statusCode).header('cache-control', 'no-store').send(failure)
    const { environment } = request
    const body = request.body as Record<string, unknown>
    const unknown = Object.keys(body ?? {}).find((name) => !MEMBERS.includes(name))
    if (unknown !== undefined)
      return answer(bad('invalid_signup', `The member ${unknown.slice(0, 60)} is not allowed.`))
    const { user_metadata, ...rest } = body ?? {}
    const wrong = Object.keys(rest).find((name) => rest[name] !== null && typeof rest[name] !== 'string')
    if (wrong !== undefined) return answer(bad('invalid_signup', `The member ${wrong} must be a text.`))
    const texts = rest as Record<string, string | null | undefined>
    for (const name of ['client_id', 'email', 'password', 'connection']) {
      if (!texts[name]) return answer(bad('invalid_signup', `Missing required member: ${name}`))
    }
    const client = await deps.configuration.client(environment.id, texts.client_id!)
    if (!client || client.global) {
      return answer(bad('invalid_signup', 'This application is not known here. Check its client_id.'))
    }
    const organization = texts.organization
      ? await openOrganization(deps.configuration, environment, texts.organization)
      : undefined
    // One text for what is unknown, suspended or named in a way that is not taken: nobody learns who is a customer.
    if (texts.organization && !organization) return answer(bad('invalid_signup', 'The organization does not exist.'))
    const organizationId = organization?.organization_id
    const usable = await deps.configuration.connections(environment.id, client.client_id, organizationId)
    const connection = usable.find(({ name, strategy }) => name === texts.connection && strategy === 'auth0')
    if (!connection) return answer(bad('invalid_signup', 'The connection is not one of this application.'))
    if (!takesSignUps(connection, organizationId)) return answer(bad('unauthorized', 'Public signup is disabled'))
    if (!(await deps.lockout.admitSignUp(environment.id, request.ip))) {
      reply.header('retry-after', '900')
      return answer({
        ...bad('too_many_requests', 'Too many sign-ups. Try again later.', 429),
        name: 'TooManyRequestsError',
      })
    }
    const email = texts.email!.trim()
    if (!isEmailAddress(email)) return answer(bad('invalid_signup', 'The member email is not an e-mail address.'))
    const flaw = flawOfMetadata(user_metadata)
    if (flaw) return answer(bad('invalid_signup', flaw))
    const said = Object.fromEntries(PROFILE.flatMap((name) => (texts[name] ? [[name, texts[name]]] : [])))
    const tooLong = Object.keys(said).find((name) => said[name]!.length > (name === 'picture' ? 2048 : 150))
    if (tooLong !== undefined) return answer(bad('invalid_signup', `The member ${tooLong} is too long.`))

    const metadata = (user_metadata ?? undefined) as Record<string, string> | undefined
    const signedUp = await signUp(deps, {
      environment,
      asker: asker(request),
      client,
      connection,
      organizationId,
      profile: { ...said, email, password: texts.password!, ...(metadata ? { user_metadata: metadata } : {}) },
    }).catch((error) => {
      const problem = toProblem(error)
      if (problem.code !== 'action_failed') throw error
      logProblem(request.log, problem)
      return { outcome: 'denied' as const, message: problem.message }
    })
    switch (signedUp.outcome) {
      case 'exists':
        return answer(
          environment.settings.flags?.enable_public_signup_user_exists_error
            ? bad('user_exists', 'The user already exists.')
            : bad('invalid_signup', 'Invalid sign up'),
        )
      case 'username_exists':
        return answer(bad('username_exists', 'The username you provided is in use already.'))
      case 'invalid':
        return answer(bad('invalid_signup', signedUp.reason))
      case 'denied':
        return answer(byAction(signedUp.message))
      case 'weak': {
        const { code, text } = signedUp.violation
        const { name, message } = REFUSED[code] ?? { name: 'PasswordStrengthError', message: 'Password is too weak' }
        const refused = { name, message, code: 'invalid_password', statusCode: 400 }
        if (name !== 'PasswordStrengthError') return answer({ ...refused, description: text })
        const description = strengthOf(connection.options, texts.password!)
        return answer({ ...refused, description, policy: policyText(connection.options) })
      }
      case 'created': {
        const { user_id, email_verified, username, given_name, family_name, name, nickname, picture } = signedUp.user
        const given = present({ username, given_name, family_name, picture })
        return reply.header('cache-control', 'no-store').send({
          _id: identityOf(user_id).identity_id,
          email,
          email_verified,
          ...given,
          ...(said.name ? { name } : {}),
          ...(said.nickname ? { nickname } : {}),
          ...(metadata ? { user_metadata: metadata } : {}),
        })
      }
    }
  })
}

/** What Auth0 says for code of its customers, so that forms show the text of the Action. */
const byAction = (message: string): Failure => ({
  ...bad('extensibility_error', message),
  message,
  friendly_message: message,
})

/** Names that forms of Auth0's SDKs tell reasons apart by. */
const REFUSED: Record<string, { name: string; message: string }> = {
  personal_information: { name: 'PasswordNoUserInfoError', message: 'Password contains user information' },
  dictionary: { name: 'PasswordDictionaryError', message: 'Password is too common' },
  leaked: { name: 'PasswordLeakedError', message: 'This password has been leaked' },
}

/** At most ten texts of 500 characters, whose names have at most 100. */
export function flawOfMetadata(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value)) return 'user_metadata must be an object.'
  const entries = Object.entries(value)
  if (entries.length > 10) return 'user_metadata has at most ten members.'
  for (const [name, text] of entries) {
    if (name.length > 100) return 'A name in user_metadata has at most 100 characters.'
    if (typeof text !== 'string' || text.length > 500) {
      return `user_metadata.${name.slice(0, 60)} must be a text of at most 500 characters.`
    }
  }
  return undefined
}
