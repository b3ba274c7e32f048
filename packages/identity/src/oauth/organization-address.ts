/**
 * Addresses of a client that hold for one organization at a time: `https://{organization_name}.example.com/callback`. The
 * name takes exactly one label of the host, and all around it is compared character by character as ever (RFC 9700 §2.1).
 */
import type { RequestEnvironment } from '../environments/environment.ts'
import { ORGANIZATION_NAME } from '../resources/web-address.ts'
import type { Client, Configuration } from './configuration.ts'
import { findOrganization } from './organization.ts'

/** Names of organizations may hold underscores, which hosts cannot. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

export const hasOrganizationName = (address: string): boolean => address.includes(ORGANIZATION_NAME)

/** The placeholder itself is nobody's name. */
const isListedAsItIs = (list: readonly string[], address: string): boolean =>
  !hasOrganizationName(address) && list.includes(address)

/** @returns the name that an address has where one of the list has the placeholder */
export function organizationNameIn(list: readonly string[], address: string): string | undefined {
  for (const listed of list) {
    const [before = '', after] = listed.split(ORGANIZATION_NAME)
    if (after === undefined || !address.startsWith(before) || !address.endsWith(after)) continue
    const name = address.slice(before.length, address.length - after.length)
    if (LABEL.test(name)) return name
  }
  return undefined
}

/** Whether an address is listed as it is, or for the organization that the request is about. */
export async function isListedFor(
  configuration: Configuration,
  environment: RequestEnvironment,
  { organization_usage }: Pick<Client, 'organization_usage'>,
  list: readonly string[],
  address: string,
  organization: string | undefined,
): Promise<boolean> {
  if (isListedAsItIs(list, address)) return true
  const name = organizationNameIn(list, address)
  if (name === undefined || !organization || organization_usage === 'deny') return false
  return (await findOrganization(configuration, environment, organization))?.name === name
}

/** Whether an address is listed as it is, or for an organization that there is: where none is named, and nothing is given. */
export async function isListed(
  configuration: Pick<Configuration, 'organization'>,
  environmentId: string,
  list: readonly string[],
  address: string,
): Promise<boolean> {
  if (isListedAsItIs(list, address)) return true
  const name = organizationNameIn(list, address)
  return name !== undefined && (await configuration.organization(environmentId, name)) !== undefined
}
