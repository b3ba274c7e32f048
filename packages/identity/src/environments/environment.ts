/**
 * An environment owns an issuer, keys and everything else; Auth0 calls it a tenant. The Host of a request finds it, and
 * only a configured origin does: a poisoned Host header leads nowhere (CVE-2023-49097, CVE-2025-64101).
 */

import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { actionsDeep } from '../actions/outside/loop.ts'
import type { ConfigurationCache } from '../configuration-cache.ts'
import { preferredLanguage } from '../languages.ts'
import type { BrandingSettings } from '../resources/branding/schema.ts'
import type { Theme } from '../resources/branding/themes/schema.ts'
import type { DeviceFlowSettings } from '../resources/tenant-settings/device-flow.ts'
import * as store from './store.ts'

export interface Environment {
  id: string
  name: string
  origins: string[]
  settings: EnvironmentSettings
  /** How its pages ask, where that is not as they do by themselves. */
  prompts?: PromptSettings
  /** Read with the environment, since every page and mail needs it. */
  branding?: EnvironmentBranding
}

export interface PromptSettings {
  /** The address on a page of its own, before the password. */
  identifier_first?: boolean
}

export interface EnvironmentBranding {
  settings: BrandingSettings
  /** Liquid around the pages of Universal Login. */
  page_template: string | null
  /** The default theme. */
  theme: Theme | null
}

/** What of Auth0's tenant settings is obeyed. Times in hours, as on the wire. */
export interface EnvironmentSettings {
  friendly_name?: string
  picture_url?: string
  support_email?: string
  support_url?: string
  session_lifetime?: number
  idle_session_lifetime?: number
  /** Of sessions whose cookie ends with the browser's window. */
  ephemeral_session_lifetime?: number
  idle_ephemeral_session_lifetime?: number
  session_cookie?: { mode: 'persistent' | 'non-persistent' }
  sessions?: { oidc_logout_prompt_enabled?: boolean }
  oidc_logout?: { rp_logout_end_session_endpoint_discovery: boolean }
  default_redirection_uri?: string
  /** The API that a request without an audience means. */
  default_audience?: string
  /** The database that the password grant asks; a connection's name. */
  default_directory?: string
  device_flow?: DeviceFlowSettings
  allow_organization_name_in_authentication_api?: boolean
  /** Actions alone say when a second factor is asked for; the policies of the environment do not count. */
  customize_mfa_in_postlogin_action?: boolean
  allowed_logout_urls?: string[]
  /** Clients may push their authorization requests to /oauth/par. */
  pushed_authorization_requests_supported?: boolean
  /** `compatibility` lets requests name an API by `resource` (RFC 8707) as well. */
  resource_parameter_profile?: 'audience' | 'compatibility'
  /** The languages of its pages; the first is for whoever asks for none of them. */
  enabled_locales?: string[]
  flags?: EnvironmentFlags
}

export interface EnvironmentFlags {
  /** Anybody may register a client at /oidc/register. */
  enable_dynamic_client_registration?: boolean
  /** Keys are published without `alg`, so that verifiers take them for PS256 and RS512 as well. */
  remove_alg_from_jwks?: boolean
  /** The sign-up by API says of an address that it is taken, as older tenants of Auth0's do. */
  enable_public_signup_user_exists_error?: boolean
  /** Clients that have a secret must authenticate to have codes sent. */
  enforce_client_authentication_on_passwordless_start?: boolean
}

/** An environment as one request sees it: `origin` is where it was reached, `issuer` what tokens made now carry. */
export interface RequestEnvironment extends Environment {
  origin: string
  issuer: string
  /** Where links that are sent to people lead: the default among the custom domains or, without one, `origin`. */
  linkOrigin: string
  /** What the browser asks for first, or the application for it. */
  language?: string | undefined
  /** How many Actions called one another, the last of them this server, until this request came of it. */
  actionsDeep?: number
}

/** What people read. */
export const friendlyName = ({ name, settings }: Pick<Environment, 'name' | 'settings'>): string =>
  settings.friendly_name ?? name

export const enabledLocales = (environment: Pick<Environment, 'settings'> | undefined): string[] =>
  environment?.settings.enabled_locales ?? ['en']

/** The colour of an environment's buttons: a theme says it more precisely than the branding. */
export const primaryColor = ({ branding }: Pick<Environment, 'branding'>): string | undefined =>
  branding?.theme?.colors.primary_button ?? branding?.settings.colors?.primary

export const problems = defineProblems({
  unknown_host: { status: 404, title: 'No environment answers at this address.' },
})

export type EnvironmentResolver = (request: IncomingMessage) => Promise<RequestEnvironment>

/** @throws Problem `unknown_host` */
export const createEnvironmentResolver =
  (deps: { database: Database; cache: ConfigurationCache }): EnvironmentResolver =>
  async (request) => {
    const host = request.headers.host?.toLowerCase()
    if (!host || !/^[a-z0-9.[\]:-]{1,255}$/.test(host)) throw problems.unknown_host()
    const encrypted = (request.socket as TLSSocket).encrypted === true
    // Behind a proxy that ends TLS the socket is plain while the configured origin is https, so both are looked up.
    for (const origin of encrypted ? [`https://${host}`] : [`http://${host}`, `https://${host}`]) {
      const found = await findByOrigin(deps, origin)
      if (!found) continue
      const { default_domain: domain, ...environment } = found
      return {
        ...environment,
        origin,
        issuer: `${origin}/`,
        linkOrigin: domain === null ? origin : `https://${domain}`,
        language: preferredLanguage(request.headers),
        actionsDeep: actionsDeep(request.headers['cdn-loop']),
      }
    }
    throw problems.unknown_host()
  }

const ORIGINS = '(origins)'

async function findByOrigin(
  deps: { database: Database; cache: ConfigurationCache },
  origin: string,
  again = true,
): Promise<store.EnvironmentRow | undefined> {
  const id = await deps.cache.remember(ORIGINS, [origin], () =>
    deps.database.acrossEnvironments('find the environment of a host', (sql) => store.idByOrigin(sql, origin)),
  )
  if (!id) return undefined
  const environment = await deps.cache.remember(id, ['environment'], () =>
    deps.database.inEnvironment(id, (tx) => store.get(tx, id)),
  )
  if (environment?.origins.includes(origin)) return environment
  // The environment has given this origin up since; another one may have it by now.
  deps.cache.forget(ORIGINS)
  return again ? findByOrigin(deps, origin, false) : undefined
}

/** @returns the new environment; its keys and system resources are made by `seedEnvironment`. */
export async function createEnvironment(
  database: Database,
  given: { name: string; origins: string[]; settings?: EnvironmentSettings },
): Promise<Environment> {
  const environment = {
    id: newId.environment(),
    name: given.name,
    origins: given.origins,
    settings: given.settings ?? {},
  }
  await database.acrossEnvironments('create an environment', (sql) => store.insert(sql, environment))
  return environment
}

/** The first environment that was made; a local installation has only that one. */
export const oldestEnvironment = (database: Database): Promise<Environment | undefined> =>
  database.acrossEnvironments('find the local environment', (sql) => store.oldest(sql))

/** Lets an environment answer at other origins, and its Management API be known by the first of them. */
export const moveEnvironment = (database: Database, environment: Environment, origins: string[]): Promise<void> =>
  database.acrossEnvironments('move an environment to other origins', (sql) => store.move(sql, environment, origins))
