import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { type EnvironmentSettings, friendlyName } from '../../environments/environment.ts'
import { translationOf, translations } from '../../languages.ts'
import { refuseImage } from '../branding/rules.ts'
import { isEmailAddress } from '../email-address.ts'
import { isObject, refuseActive } from '../inert.ts'
import { problems as managementProblems } from '../management-api.ts'
import { refuseAddress } from '../web-address.ts'
import { DEVICE_FLOW, FEWEST } from './device-flow.ts'
import { FLAGS, inert, inertFlags, inertUniversalLogin, LIVE_FLAGS, type UpdateTenantSettings } from './schema.ts'

export const refuse = (reason: string) =>
  bodyProblems.invalid_body({ facts: { reason: `Payload validation error: ${reason}` } })

/** @throws Problem `operation_not_supported`, `invalid_body` */
export function changed(current: EnvironmentSettings, change: UpdateTenantSettings): EnvironmentSettings {
  refuseActive(inert, change)
  if (isObject(change.flags)) refuseActive(inertFlags(change.flags), change.flags, 'flags.')
  if (change.universal_login) refuseActive(inertUniversalLogin, change.universal_login, 'universal_login.')
  refuseTexts(change)
  refuseLanguages(change.enabled_locales)
  const given: { [Name in keyof EnvironmentSettings]: EnvironmentSettings[Name] | null | undefined } = {
    friendly_name: change.friendly_name,
    picture_url: change.picture_url,
    support_email: change.support_email,
    support_url: change.support_url,
    default_redirection_uri: change.default_redirection_uri,
    default_audience: change.default_audience,
    default_directory: change.default_directory,
    device_flow: deviceFlow(current, change),
    allowed_logout_urls: change.allowed_logout_urls,
    enabled_locales: change.enabled_locales,
    session_lifetime: lifetime('session_lifetime', change.session_lifetime, change.session_lifetime_in_minutes),
    idle_session_lifetime: lifetime(
      'idle_session_lifetime',
      change.idle_session_lifetime,
      change.idle_session_lifetime_in_minutes,
    ),
    ephemeral_session_lifetime: lifetime(
      'ephemeral_session_lifetime',
      change.ephemeral_session_lifetime,
      change.ephemeral_session_lifetime_in_minutes,
    ),
    idle_ephemeral_session_lifetime: lifetime(
      'idle_ephemeral_session_lifetime',
      change.idle_ephemeral_session_lifetime,
      change.idle_ephemeral_session_lifetime_in_minutes,
    ),
    session_cookie: change.session_cookie,
    sessions: change.sessions,
    oidc_logout: change.oidc_logout && {
      rp_logout_end_session_endpoint_discovery: change.oidc_logout.rp_logout_end_session_endpoint_discovery ?? true,
    },
    allow_organization_name_in_authentication_api: change.allow_organization_name_in_authentication_api,
    pushed_authorization_requests_supported: change.pushed_authorization_requests_supported,
    resource_parameter_profile: change.resource_parameter_profile,
    flags: changedFlags(current, change.flags),
    customize_mfa_in_postlogin_action: change.customize_mfa_in_postlogin_action,
  }
  const settings = Object.entries({ ...current, ...withoutUndefined(given) })
  return Object.fromEntries(settings.filter(([, value]) => value !== null && value !== '')) as EnvironmentSettings
}

/** What `refuseActive` let pass. */
function changedFlags(current: EnvironmentSettings, asked: unknown): EnvironmentSettings['flags'] {
  if (!isObject(asked)) return undefined
  const live = LIVE_FLAGS.filter((name) => name in asked).map((name) => [name, asked[name]])
  return live.length === 0 ? undefined : { ...current.flags, ...Object.fromEntries(live) }
}

const withoutUndefined = (given: object): object =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))

/** In hours, as it is kept. @throws Problem `invalid_body` when hours and minutes are both given */
function lifetime(name: string, hours: number | undefined, minutes: number | undefined): number | undefined {
  if (hours !== undefined && minutes !== undefined) throw refuse(`give '${name}' in hours or in minutes, not both.`)
  return minutes === undefined ? hours : minutes / 60
}

/** @throws Problem `invalid_body` for a mask whose codes could be guessed */
function deviceFlow(current: EnvironmentSettings, { device_flow: asked }: UpdateTenantSettings) {
  if (!asked) return asked
  const next = { ...DEVICE_FLOW, ...current.device_flow, ...asked }
  const characters = next.mask.replaceAll(/[^*]/g, '').length
  if (characters < FEWEST[next.charset]) {
    throw refuse(`'device_flow.mask' needs ${FEWEST[next.charset]} asterisks or more with ${next.charset}.`)
  }
  return next
}

function refuseTexts(change: UpdateTenantSettings): void {
  refuseImage('picture_url', change.picture_url)
  if (change.support_email && !isEmailAddress(change.support_email)) {
    throw refuse("'support_email' is not an e-mail address.")
  }
  const addresses = [
    ['support_url', change.support_url],
    ['default_redirection_uri', change.default_redirection_uri],
    ...(change.allowed_logout_urls ?? []).map((url) => ['allowed_logout_urls', url] as const),
  ] as const
  for (const [member, address] of addresses) {
    const wrong = address ? refuseAddress(address) : undefined
    if (wrong) throw refuse(`'${member}' ${wrong}.`)
  }
}

/** @throws Problem `operation_not_supported` for a language that the pages do not speak */
function refuseLanguages(locales: readonly string[] = []): void {
  const unknown = locales.filter((locale) => translationOf(locale) === undefined)
  if (unknown.length === 0) return
  const what = `There are no texts in ${unknown.join(', ')} yet, only in ${translations.join(', ')}.`
  throw managementProblems.operation_not_supported({ facts: { what } })
}

/** The settings as Auth0 shows them: those that are obeyed, and the rest as it always is here. */
export const shown = (environment: { name: string; settings: EnvironmentSettings }) => ({
  allow_organization_name_in_authentication_api: false,
  allowed_logout_urls: [],
  customize_mfa_in_postlogin_action: false,
  default_audience: '',
  default_directory: '',
  device_flow: DEVICE_FLOW,
  enabled_locales: ['en'],
  ephemeral_session_lifetime: 72,
  idle_ephemeral_session_lifetime: 24,
  oidc_logout: { rp_logout_end_session_endpoint_discovery: true },
  pushed_authorization_requests_supported: false,
  resource_parameter_profile: 'audience',
  authorization_response_iss_parameter_supported: true,
  sandbox_version: '22',
  sandbox_versions_available: ['22'],
  session_cookie: { mode: 'persistent' },
  session_lifetime: 168,
  idle_session_lifetime: 72,
  ...environment.settings,
  flags: { ...FLAGS, ...environment.settings.flags },
  friendly_name: friendlyName(environment),
})
