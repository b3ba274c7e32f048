import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { isObject, refuseActive, unsupported } from '../inert.ts'
import { refuseAddress } from '../web-address.ts'
import { type BrandingSettings, inert, type UpdateBranding } from './schema.ts'

export const refuse = (reason: string) =>
  bodyProblems.invalid_body({ facts: { reason: `Payload validation error: ${reason}` } })

/** An image on a page that people trust comes over TLS, or its address is a mistake. @throws Problem `invalid_body` */
export function refuseImage(member: string, address: string | null | undefined): void {
  if (!address) return
  const wrong = refuseAddress(address) ?? (address.startsWith('https://') ? undefined : 'must start with https://')
  if (wrong) throw refuse(`'${member}' ${wrong}.`)
}

/** @throws Problem `invalid_body`, `operation_not_supported` */
export function changed(current: BrandingSettings, change: UpdateBranding): BrandingSettings {
  refuseActive(inert, change)
  if (isObject(change.colors?.page_background)) throw unsupported('colors.page_background')
  refuseImage('logo_url', change.logo_url)
  refuseImage('favicon_url', change.favicon_url)
  const colors = change.colors === null ? {} : merged(current.colors ?? {}, change.colors)
  const { logo_url, favicon_url } = change
  const images = merged({ logo_url: current.logo_url, favicon_url: current.favicon_url }, { logo_url, favicon_url })
  return { ...(Object.keys(colors).length > 0 ? { colors } : {}), ...images }
}

/** Absent keeps a member, null takes it away. */
function merged(current: object, change: object | undefined): Record<string, string> {
  const given = Object.entries(change ?? {}).filter(([, value]) => value !== undefined)
  const all = { ...current, ...Object.fromEntries(given) }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null && value !== undefined))
}
