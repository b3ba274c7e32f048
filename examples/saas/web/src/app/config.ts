import { InjectionToken } from '@angular/core'

export interface Config {
  /** The issuer's origin, with its scheme. */
  domain: string
  clientId: string
  /** Identifier of the API the access tokens are for. */
  audience: string
  /** Name of the claim that carries the tenant's id. */
  tenantClaim: string
  /** Where sent mail can be read, in development only. */
  mailUrl?: string
}

export const CONFIG = new InjectionToken<Config>('config')

/** @throws Error when the server does not answer with complete settings */
export async function loadConfig(): Promise<Config> {
  const response = await fetch('/config.json', { cache: 'no-store' })
  if (!response.ok) throw new Error(`/config.json answered ${response.status}.`)
  const config = (await response.json()) as Config
  for (const name of ['domain', 'clientId', 'audience', 'tenantClaim'] as const) {
    if (typeof config[name] !== 'string' || config[name] === '') throw new Error(`/config.json has no ${name}.`)
  }
  return config
}
