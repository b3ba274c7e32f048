import { InjectionToken } from '@angular/core'

/** What the web server knows and the build does not. */
export interface Config {
  /** The issuer, with its scheme. */
  domain: string
  clientId: string
  audience: string
  /** Hosts of the app; what stands before one of them is a tenant's slug. */
  hosts: string[]
  /** The plans that can be chosen here. */
  plans: string[]
  /** Where sent mail can be looked at; absent outside development. */
  mailboxUrl?: string
}

export const CONFIG = new InjectionToken<Config>('configuration of the web app')

export async function readConfig(): Promise<Config> {
  const response = await fetch('/config.json', { cache: 'no-store' })
  if (!response.ok) throw new Error(`/config.json answered ${response.status}.`)
  return (await response.json()) as Config
}

/** The slug in `acme.localhost`, or nothing on the app's own host. */
export function slugOfHost(hostname: string, hosts: readonly string[]): string | undefined {
  const own = hosts.find((host) => hostname.endsWith(`.${host}`))
  return own ? hostname.slice(0, -own.length - 1) : undefined
}
