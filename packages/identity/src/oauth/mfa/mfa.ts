/**
 * Auth0's MFA API for clients that sign people in without our pages: which authenticators there are (GET
 * /mfa/authenticators), asking for one (POST /mfa/challenge), adding the first one (POST /mfa/associate), removing one
 * (DELETE /mfa/authenticators/{id}). What proves one is a grant of the token endpoint.
 */
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { randomHandle } from '@tenantry/kernel/id.ts'
import type { FastifyRequest } from 'fastify'
import type { FactorName, Method } from '../../login/factors/factor.ts'
import type { Factors } from '../../login/factors/factors.ts'
import { refusals } from '../../login/factors/problems.ts'
import { asker, type TenantLog } from '../../logs/tenant-log.ts'
import * as methods from '../../resources/users/authentication-methods/store.ts'
import { readParameters } from '../parameters.ts'
import { problems } from '../problems.ts'
import { authenticateClient } from '../token/client-authentication.ts'
import { required } from '../token/token.ts'
import { type MfaApiDependencies, openMfaAccessToken } from './mfa-api.ts'
import { type Opened, openMfaToken } from './mfa-token.ts'
import { askableHere, mayAdd, OUT_OF_BAND, typeOf } from './requirements.ts'
import * as store from './store.ts'

export interface MfaDependencies extends MfaApiDependencies {
  factors: Factors
  tenantLog: TenantLog
}

const SIGN_IN_TO_ADD =
  'This mfa_token comes from a refresh, which does not prove who is there. Sign in to add an authenticator.'

const READ = { scope: 'read:authenticators', freshFactor: false }
const REMOVE = { scope: 'remove:authenticators', freshFactor: true }

type Parameters = Readonly<Record<string, string>>

/** What a challenge is bound to: this token, and this asking. */
export const handleOf = (token: string, oobCode: string) => `${token}.${oobCode}`

/** The method stands in the code, so that the answer finds it; it opens nothing without the token that it was made for. */
const newOobCode = ({ id }: Method) => `${Buffer.from(id).toString('base64url')}.${randomHandle()}`
export const methodOfOobCode = (code: string) => Buffer.from(code.split('.')[0] ?? '', 'base64url').toString('utf8')

export const mfa = (deps: MfaDependencies) => async (app: Api) => {
  const { factors } = deps

  app.get('/mfa/authenticators', async (request, reply) => {
    // A token for the API says what it is; an mfa_token says nothing.
    const token = bearerOf(request)
    const person = token.includes('.')
      ? await openMfaAccessToken(deps, request.environment, token, READ, asker(request))
      : (await bearer(request)).person
    const enrolled = await factors.enrolled(person)
    return reply.header('cache-control', 'no-store').send(askableHere(enrolled).map(shown))
  })

  app.delete<{ Params: { id: string } }>('/mfa/authenticators/:id', async (request, reply) => {
    const { environment, params } = request
    const person = await openMfaAccessToken(deps, environment, bearerOf(request), REMOVE, asker(request))
    const method = askableHere(await factors.enrolled(person)).find(({ id }) => id === params.id)
    const { user_id } = person.user
    const [removed] = method
      ? await deps.database.inEnvironment(environment.id, (tx) => methods.remove(tx, user_id, method.id))
      : []
    // A proven address is an authenticator by itself, and goes only with the address.
    if (!removed) throw problems.unknown_authenticator()
    const details = { authentication_method: removed.id }
    deps.tenantLog.add(environment.id, { type: 'gd_unenroll', ...person.about, user_id, details })
    return reply.code(204).header('cache-control', 'no-store').send()
  })

  app.post('/mfa/challenge', async (request, reply) => {
    const parameters = readParameters(request.body)
    const { authorization } = request.headers
    const client = await authenticateClient(deps, request.environment, { authorization, parameters })
    const token = required(parameters, 'mfa_token')
    const { person } = await openMfaToken(deps, request.environment, token, client, asker(request))
    const types = (parameters.challenge_type ?? 'otp oob').split(' ')
    if (types.some((type) => type !== 'otp' && type !== 'oob')) throw problems.unsupported_challenge_type()
    const enrolled = askableHere(await factors.enrolled(person))
    if (enrolled.length === 0) throw problems.association_required()
    const method = enrolled.find(
      (each) =>
        each.factor !== 'recovery-code' &&
        types.includes(authenticatorTypeOf(each)) &&
        (parameters.authenticator_id === undefined || each.id === parameters.authenticator_id) &&
        (parameters.oob_channel === undefined || each.factor === parameters.oob_channel),
    )
    if (!method) throw problems.unsupported_challenge_type()
    reply.header('cache-control', 'no-store')
    return reply.send(method.factor === 'otp' ? { challenge_type: 'otp' } : await sendOob(token, person, method))
  })

  app.post('/mfa/associate', async (request, reply) => {
    const parameters = readParameters(withoutLists(request.body))
    const opened = await bearer(request, parameters)
    const { person, token, row, proof } = opened
    if (proof === null) throw problems.access_denied({ facts: { reason: SIGN_IN_TO_ADD } })
    const enrolled = await factors.enrolled(person)
    if (!(await mayAdd(factors, person, enrolled))) throw refusals.already_enrolled()
    const factor = wantedFactor(parameters)
    const { phone_number: phoneNumber, email } = parameters
    const { method, shown: revealed } = await factors.enrol(person, factor, { phoneNumber, email })
    const recovery = await firstRecoveryCode(opened)
    await deps.database.once(request.environment.id, (tx) =>
      store.noteAdding(tx, row.token_hash, method.id, recovery?.id ?? null),
    )
    const codes = recovery ? { recovery_codes: [recovery.code] } : {}
    reply.header('cache-control', 'no-store')
    if (factor === 'otp') {
      const { secret, barcode_uri } = revealed
      return reply.send({ authenticator_type: 'otp', secret, barcode_uri, ...codes })
    }
    const { challenge_type: _, ...sent } = await sendOob(token, person, method)
    return reply.send({ authenticator_type: 'oob', oob_channel: factor, ...sent, ...codes })
  })

  async function sendOob(token: string, person: Opened['person'], method: Method) {
    const oob_code = newOobCode(method)
    await factors.challenge(person, method, handleOf(token, oob_code))
    return { challenge_type: 'oob', oob_code, binding_method: 'prompt' }
  }

  /** One to write down, beside the first factor of a person; it counts once that factor is confirmed. */
  async function firstRecoveryCode({ person }: Opened) {
    const on = await factors.available(person.environment.id)
    return on.includes('recovery-code') ? factors.newRecoveryCode(person) : undefined
  }

  /** The token in the header; a client that says who it is must be right, and the token its own. */
  async function bearer(request: FastifyRequest, parameters: Parameters = {}): Promise<Opened> {
    const token = bearerOf(request)
    const names = parameters.client_id ?? parameters.client_assertion
    const client =
      names === undefined
        ? undefined
        : await authenticateClient(deps, request.environment, { authorization: undefined, parameters })
    return openMfaToken(deps, request.environment, token, client, asker(request))
  }
}

/** @throws Problem `malformed_mfa_token` where there is none */
function bearerOf({ headers }: FastifyRequest): string {
  const token = /^Bearer ([^\s]+)$/i.exec(headers.authorization ?? '')?.[1]
  if (!token) throw problems.malformed_mfa_token()
  return token
}

const isOutOfBand = ({ factor }: Method): boolean => OUT_OF_BAND.includes(factor)

const authenticatorTypeOf = (method: Method): string => (isOutOfBand(method) ? 'oob' : method.factor)

/** The channel stands there twice: SDKs of one age read `oob_channel`, those of another `oob_channels`. */
const shown = (method: Method) => ({
  id: method.id,
  authenticator_type: authenticatorTypeOf(method),
  type: typeOf(method.factor),
  active: true,
  ...(isOutOfBand(method) ? { oob_channel: method.factor, oob_channels: [method.factor], name: nameOf(method) } : {}),
})

/** Enough for the owner to know which one is meant. */
function nameOf({ email, phone_number }: Method): string {
  if (phone_number) return `${'X'.repeat(Math.max(0, phone_number.length - 4))}${phone_number.slice(-4)}`
  const [name = '', host = ''] = (email ?? '').split('@')
  return `${name.slice(0, 4)}****@${host.slice(0, 4)}****`
}

/** @throws Problem `invalid_request` */
function wantedFactor(parameters: Parameters): FactorName {
  const types = required(parameters, 'authenticator_types').split(' ')
  if (types.length === 1 && types[0] === 'otp') return 'otp'
  const channels = (parameters.oob_channels ?? '').split(' ')
  const channel = OUT_OF_BAND.find((name) => channels.includes(name))
  if (types.length === 1 && types[0] === 'oob' && channel) return channel
  const reason = 'authenticator_types must be otp, or oob with oob_channels of sms or email.'
  throw problems.invalid_request({ facts: { reason } })
}

/** Lists of words travel as such here; a list of anything else stays, and is refused. */
function withoutLists(body: unknown): unknown {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) return body
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => {
      const isWords = Array.isArray(value) && value.every((word) => typeof word === 'string' && /^[a-z-]+$/.test(word))
      return [name, isWords ? value.join(' ') : value]
    }),
  )
}
