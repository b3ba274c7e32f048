/** Where an Action sends a person: the address with its query. */

export interface SendUserTo {
  url: string
  options?: { query?: Record<string, string | number | boolean> } | undefined
}

/**
 * @param state what brings the person back, which the query of the Action cannot replace
 * @returns undefined for anything but http and https, and for an address with credentials in it, which looks like another
 */
export function destinationOf({ url, options }: SendUserTo, state?: string): string | undefined {
  const address = URL.parse(url)
  if (!address || !['http:', 'https:'].includes(address.protocol)) return undefined
  if (address.username || address.password) return undefined
  for (const [name, value] of Object.entries(options?.query ?? {})) address.searchParams.set(name, String(value))
  if (state !== undefined) address.searchParams.set('state', state)
  return address.href
}
