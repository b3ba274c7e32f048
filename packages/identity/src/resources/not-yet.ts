/**
 * Operations that Auth0 has and that are not served yet. They are known, so they answer 501 with the reason, to whoever
 * could call them, and the reference lists them; an unknown path stays 404.
 */
import type { Api } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { problems, refusals } from './management-api.ts'

const RISKS = 'Assessments of risk are not supported yet.'
const FEDERATION = 'Connections to outside identity providers are not supported yet.'
const SCIM = 'SCIM provisioning is not supported yet.'
const CIMD = 'Clients that describe themselves by a metadata document are not supported yet.'
const ACLS = 'Network access lists are not supported yet.'
const TEMPLATES = 'Organization templates are not supported yet.'
const DEVICE_KEYS = 'Device credentials with public keys are not supported yet.'

type Operation = [
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  id: string,
  scope: string,
  why: string,
]

export const OPERATIONS: readonly Operation[] = [
  ['POST', '/users/:id/risk-assessments/clear', 'clearRiskAssessments', 'update:users', RISKS],
  ['POST', '/clients/cimd/preview', 'previewClientMetadata', 'create:clients', CIMD],
  ['POST', '/clients/cimd/register', 'registerClientMetadata', 'create:clients', CIMD],
  ['GET', '/connections/:id/keys', 'listConnectionKeys', 'read:connections_keys', FEDERATION],
  ['POST', '/connections/:id/keys', 'createConnectionKeys', 'create:connections_keys', FEDERATION],
  ['POST', '/connections/:id/keys/rotate', 'rotateConnectionKeys', 'update:connections_keys', FEDERATION],
  ['GET', '/connections/:id/scim-configuration', 'getScimConfiguration', 'read:scim_config', SCIM],
  ['POST', '/connections/:id/scim-configuration', 'createScimConfiguration', 'create:scim_config', SCIM],
  ['PATCH', '/connections/:id/scim-configuration', 'updateScimConfiguration', 'update:scim_config', SCIM],
  ['DELETE', '/connections/:id/scim-configuration', 'deleteScimConfiguration', 'delete:scim_config', SCIM],
  ['GET', '/connections/:id/scim-configuration/default-mapping', 'getScimDefaultMapping', 'read:scim_config', SCIM],
  ['GET', '/connections/:id/scim-configuration/tokens', 'listScimTokens', 'read:scim_token', SCIM],
  ['POST', '/connections/:id/scim-configuration/tokens', 'createScimToken', 'create:scim_token', SCIM],
  ['DELETE', '/connections/:id/scim-configuration/tokens/:token', 'deleteScimToken', 'delete:scim_token', SCIM],
  [
    'GET',
    '/organizations/:id/organization-templates',
    'getOrganizationTemplate',
    'read:organization_templates',
    TEMPLATES,
  ],
  [
    'PUT',
    '/organizations/:id/organization-templates/:template',
    'assignOrganizationTemplate',
    'update:organizations',
    TEMPLATES,
  ],
  [
    'DELETE',
    '/organizations/:id/organization-templates/:template',
    'unassignOrganizationTemplate',
    'update:organizations',
    TEMPLATES,
  ],
  ['POST', '/device-credentials', 'createDeviceCredential', 'create:device_credentials', DEVICE_KEYS],
  ['GET', '/keys/network-acls', 'listNetworkAclKeys', 'read:network_acl_keys', ACLS],
  ['POST', '/keys/network-acls', 'createNetworkAclKey', 'create:network_acl_keys', ACLS],
  ['GET', '/keys/network-acls/:id', 'getNetworkAclKey', 'read:network_acl_keys', ACLS],
  ['DELETE', '/keys/network-acls/:id', 'deleteNetworkAclKey', 'delete:network_acl_keys', ACLS],
]

export async function notYet(app: Api): Promise<void> {
  for (const [method, url, operationId, scope, what] of OPERATIONS) {
    app.route({
      method,
      url,
      config: { scope },
      schema: {
        operationId,
        summary: `Not yet: ${what}`,
        tags: ['not yet'],
        // Whatever is asked: the answer is the same.
        querystring: Type.Unknown(),
        response: refusals(501),
      },
      handler: async () => {
        throw problems.operation_not_supported({ facts: { what } })
      },
    })
  }
}
