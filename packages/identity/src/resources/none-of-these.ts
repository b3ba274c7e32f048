/**
 * Kinds of things that Auth0 has and this server does not: there are none, so their lists are empty, and making one
 * answers 501. Tools that carry an environment's configuration read every list before they write the first change, and
 * most of them give up where a list is missing. Rules and hooks answer as Auth0 does where they were never switched on.
 */
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import Type from 'typebox'
import { problems as apiProblems, refusals } from './management-api.ts'
import { answer, BothPagings, PageAnswer, pageOf } from './paging.ts'

export const problems = defineProblems({
  deprecated_feature: {
    status: 403,
    title: 'Insufficient privileges to use this deprecated feature. Actions do what {name} did.',
  },
})

/** An `envelope` is around the list always; a `page` is a bare array where no paging is asked for. */
type Shape = 'page' | 'envelope'
type Kind = readonly [path: string, id: string, list: string, shape: Shape, subject: string, what: string]

const KINDS: readonly Kind[] = [
  ['/actions/modules', 'ActionModules', 'modules', 'envelope', 'actions', 'Modules of Actions'],
  ['/branding/phone/templates', 'PhoneTemplates', 'templates', 'envelope', 'phone_templates', 'Phone templates'],
  [
    '/connection-profiles',
    'ConnectionProfiles',
    'connection_profiles',
    'envelope',
    'connection_profiles',
    'Connection profiles',
  ],
  ['/event-streams', 'EventStreams', 'eventStreams', 'envelope', 'event_streams', 'Event streams'],
  ['/flows', 'Flows', 'flows', 'page', 'flows', 'Flows'],
  ['/flows/vault/connections', 'FlowConnections', 'connections', 'page', 'flows_vault_connections', 'Flows'],
  ['/forms', 'Forms', 'forms', 'page', 'forms', 'Forms'],
  ['/network-acls', 'NetworkAcls', 'network_acls', 'page', 'network_acls', 'Network access lists'],
  [
    '/rate-limit-policies',
    'RateLimitPolicies',
    'rate_limit_policies',
    'envelope',
    'rate_limit_policies',
    'Rate limit policies',
  ],
  [
    '/self-service-profiles',
    'SelfServiceProfiles',
    'self_service_profiles',
    'page',
    'self_service_profiles',
    'Self-service profiles',
  ],
  [
    '/token-exchange-profiles',
    'TokenExchangeProfiles',
    'token_exchange_profiles',
    'envelope',
    'token_exchange_profiles',
    'Token exchange profiles',
  ],
  [
    '/user-attribute-profiles',
    'UserAttributeProfiles',
    'user_attribute_profiles',
    'envelope',
    'user_attribute_profiles',
    'User attribute profiles',
  ],
]

/** Lists of what is made and changed elsewhere. */
const READ_ONLY: readonly Kind[] = [
  [
    '/connections-directory-provisionings',
    'DirectoryProvisionings',
    'directory_provisionings',
    'envelope',
    'directory_provisionings',
    'Directory provisioning',
  ],
  ['/prompts/rendering', 'PromptRenderings', 'configs', 'page', 'prompts', 'Screens of your own'],
]

const DEPRECATED = [
  ['/rules', 'listRules', 'read:rules', 'rules'],
  ['/rules-configs', 'listRulesConfigs', 'read:rules_configs', 'rules'],
  ['/hooks', 'listHooks', 'read:hooks', 'hooks'],
] as const

export async function noneOfThese(app: Api): Promise<void> {
  const tags = ['none']

  for (const [path, id, list, shape, subject, what] of [...KINDS, ...READ_ONLY]) {
    app.route({
      method: 'GET',
      url: path,
      config: { scope: `read:${subject}` },
      schema: {
        operationId: `list${id}`,
        summary: `${what}: none, because they are not supported yet`,
        tags,
        // Each list has filters of its own, and whatever they ask for, nothing is in it.
        querystring: Type.Object(BothPagings),
        response: { 200: PageAnswer(list, Type.Unknown()), ...refusals(400) },
      },
      handler: async (request) => {
        const page = pageOf(request.query)
        const none = { rows: [], total: 0 }
        return shape === 'envelope' && page.kind === 'array' ? { [list]: [] } : answer(list, page, none, String)
      },
    })
  }

  for (const [path, id, , , subject, what] of KINDS) {
    app.route({
      method: 'POST',
      url: path,
      config: { scope: `create:${subject}` },
      schema: {
        operationId: `create${id}`,
        summary: `Not yet: ${what} are not supported yet.`,
        tags,
        // Whatever is asked: the answer is the same.
        querystring: Type.Unknown(),
        response: refusals(501),
      },
      handler: async () => {
        throw apiProblems.operation_not_supported({ facts: { what: `${what} are not supported yet.` } })
      },
    })
  }

  for (const [url, operationId, scope, name] of DEPRECATED) {
    app.route({
      method: 'GET',
      url,
      config: { scope },
      schema: {
        operationId,
        summary: `Refused: Auth0 has ended ${name}; Actions do what they did`,
        tags,
        querystring: Type.Unknown(),
        response: refusals(),
      },
      handler: async () => {
        throw problems.deprecated_feature({ facts: { name } })
      },
    })
  }
}
