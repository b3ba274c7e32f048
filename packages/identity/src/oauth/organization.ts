import { toProblem } from '@tenantry/kernel/http/server.ts'
import type { RequestEnvironment } from '../environments/environment.ts'
import type { Client, Configuration, OrganizationConfiguration } from './configuration.ts'
import { problems } from './problems.ts'

const ORGANIZATION_ID = /^org_[A-Za-z0-9]{16}$/

const refuse = (reason: string) => problems.invalid_request({ facts: { reason } })

/** For what does not exist and for what may not be used alike. */
export const invalidOrganization = (asked: string) => refuse(`parameter organization is invalid: ${asked.slice(0, 64)}`)

/** By id or name. */
export const findOrganization = (
  configuration: Configuration,
  { id }: RequestEnvironment,
  asked: string,
): Promise<OrganizationConfiguration | undefined> =>
  configuration.organization(id, ORGANIZATION_ID.test(asked) ? asked : asked.toLowerCase())

/**
 * The organization that a request names: by id, or by name where the environment takes names. The texts are Auth0's.
 *
 * @throws Problem `invalid_request`, `organization_suspended`
 */
export async function namedOrganization(
  configuration: Configuration,
  environment: RequestEnvironment,
  asked: string,
): Promise<OrganizationConfiguration> {
  if (!ORGANIZATION_ID.test(asked) && !environment.settings.allow_organization_name_in_authentication_api) {
    throw refuse('authorization request parameter organization must be an organization id')
  }
  const found = await findOrganization(configuration, environment, asked)
  if (!found) throw invalidOrganization(asked)
  if (found.is_suspended) throw problems.organization_suspended({ facts: { organization: found.organization_id } })
  return found
}

/** The same where nobody may learn who is a customer: a refusal is undefined. */
export async function openOrganization(
  ...named: Parameters<typeof namedOrganization>
): Promise<OrganizationConfiguration | undefined> {
  try {
    return await namedOrganization(...named)
  } catch (error) {
    if (toProblem(error).status >= 500) throw error
    return undefined
  }
}

/** Whether what a request names, by id or by name, is the organization that a token is of already. */
export async function isOrganization(
  configuration: Configuration,
  environment: RequestEnvironment,
  asked: string,
  organizationId: string | null,
): Promise<boolean> {
  if (asked === organizationId) return true
  if (!environment.settings.allow_organization_name_in_authentication_api || organizationId === null) return false
  const found = await configuration.organization(environment.id, asked.toLowerCase())
  return found?.organization_id === organizationId
}

/**
 * The organization of a request that leads to no page on which one could be chosen.
 *
 * @throws Problem `invalid_request` by the client's rules; the texts are Auth0's
 */
export async function organizationWithoutPages(
  configuration: Configuration,
  environment: RequestEnvironment,
  client: Pick<Client, 'organization_usage'>,
  asked: string | undefined,
): Promise<OrganizationConfiguration | undefined> {
  if (asked === undefined) {
    if (client.organization_usage === 'require') throw refuse('parameter organization is required for this client')
    return undefined
  }
  if (client.organization_usage === 'deny') throw refuse('parameter organization is not allowed for this client')
  return namedOrganization(configuration, environment, asked)
}
