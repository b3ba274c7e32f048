/**
 * /activate (RFC 8628 §3.3): the page on which a person types what a device shows. The code is bound to the browser it is
 * typed in, and then an ordinary sign-in begins, so that every rule of organizations, factors and Actions holds. Opening
 * the page uses nothing up, also with the code in its address.
 */
import { parseQuery } from '@tenantry/kernel/http/body.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle, sameSecret } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { asker } from '../../logs/tenant-log.ts'
import type { AuthorizationRequest } from '../../oauth/authorize/request.ts'
import * as store from '../../oauth/device/store.ts'
import { hashUserCode } from '../../oauth/device/user-code.ts'
import { readForm } from '../../oauth/parameters.ts'
import { readCookie, setCookie } from '../cookies.ts'
import type { Lockout } from '../lockout.ts'
import type { Login, LoginDependencies } from '../login.ts'
import { environmentLook } from '../look.ts'
import { sendPage } from '../pages.ts'
import { problems } from '../transactions.ts'

const DAY = 86_400

export type ActivationDependencies = LoginDependencies & { lockout: Lockout; login: Pick<Login, 'begin'> }

export const deviceActivation = (deps: ActivationDependencies) => async (app: Api) => {
  const csrfOf = (browser: string) => deps.secrets.authenticate('device-csrf', browser).toString('base64url')

  app.get('/activate', async (request, reply) => {
    const browser = readCookie(request, 'browser') ?? randomHandle()
    setCookie(request, reply, 'browser', browser, DAY)
    return show(reply, browser, { user_code: (parseQuery(request.raw.url ?? '').user_code ?? '').slice(0, 40) })
  })

  app.post('/activate', { bodyLimit: 16 * 1024 }, async (request, reply) => {
    const form = readForm(request.body)
    const browser = readCookie(request, 'browser')
    const { origin } = request.headers
    const isOurs = origin === undefined || origin === request.environment.origin
    if (!browser || !isOurs || !sameSecret(form._csrf ?? '', csrfOf(browser))) throw problems.cross_site_post()
    const typed = (form.user_code ?? '').slice(0, 40)
    if (typed.trim() === '') return show(reply, browser, { refused: 'no-code' }, 400)
    const { environment, ip } = request
    if (!(await deps.lockout.admitDeviceCode(environment.id, ip))) {
      reply.header('retry-after', '60')
      return show(reply, browser, { user_code: typed, refused: 'too-many-tries' }, 429)
    }
    const hash = hashUserCode(deps.secrets, environment.id, typed)
    const [code] = hash
      ? await deps.database.once(environment.id, (tx) =>
          store.claim(tx, hash, environment.issuer, hashHandle(browser), deps.clock.now()),
        )
      : []
    const client = code && (await deps.configuration.client(environment.id, code.client_id))
    if (!code || !client) {
      // One answer for unknown, expired, used, and typed in another browser.
      deps.tenantLog.add(environment.id, { type: 'fdeaz', ...asker(request) })
      return show(reply, browser, { user_code: typed, refused: 'invalid-expired-code' }, 400)
    }
    await deps.lockout.foundDeviceCode(environment.id, ip)
    return deps.login.begin(request, reply, client, requestOf(request, code, typed))
  })

  for (const outcome of ['success', 'denied'] as const) {
    app.get(`/device/${outcome}`, async (request, reply) =>
      sendPage(reply, `device-${outcome}`, { look: environmentLook(request.environment), values: {} }),
    )
  }

  function show(reply: FastifyReply, browser: string, values: Record<string, unknown>, status = 200) {
    const look = environmentLook(reply.request.environment)
    return sendPage(reply, 'device-activation', { status, look, values: { ...values, csrf: csrfOf(browser) } })
  }

  /** What the device asked for, as a request that a login can hold. It leads back to no client. */
  const requestOf = (request: FastifyRequest, code: store.DeviceCodeRow, typed: string): AuthorizationRequest => ({
    client_id: code.client_id,
    redirect_uri: '',
    response_type: [],
    response_mode: 'query',
    web_origin: undefined,
    issuer: request.environment.issuer,
    state: undefined,
    nonce: undefined,
    scope: code.scope,
    audience: code.audience ?? undefined,
    resource_server_identifier: code.resource_server_identifier ?? undefined,
    code_challenge: undefined,
    prompt: [],
    max_age: undefined,
    acr_values: [],
    organization_id: code.organization_id ?? undefined,
    invitation_id: undefined,
    connection: undefined,
    login_hint: undefined,
    screen_hint: undefined,
    ui_locales: undefined,
    hinted_user_id: undefined,
    dpop_jkt: undefined,
    device: { id: code.id, userCode: sealUserCode(deps, request, code.id, typed) },
  })
}

const context = (request: FastifyRequest, id: string) => `${request.environment.id}/device-code/${id}`

/** The confirmation shows it once more; until then it rests like other secrets. */
const sealUserCode = (deps: Pick<LoginDependencies, 'secrets'>, request: FastifyRequest, id: string, code: string) =>
  deps.secrets.seal(context(request, id), code.trim().toUpperCase()).toString('base64')

export const openUserCode = (
  deps: Pick<LoginDependencies, 'secrets'>,
  request: FastifyRequest,
  device: NonNullable<AuthorizationRequest['device']>,
): string => deps.secrets.open(context(request, device.id), Buffer.from(device.userCode, 'base64'))
