import type Type from 'typebox'
import type { ControlPlaneDeps } from '../operation.ts'
import { selection } from './rules.ts'
import type { Api } from './schema.ts'
import type { StoredApi } from './store.ts'

/** An API as clients see it. */
export const showApi = (
  { endpointOf }: ControlPlaneDeps,
  { id, settings, tags, created_at }: StoredApi,
  findings: { readonly importInfo?: string[]; readonly warnings?: string[] } = {},
): Type.Static<typeof Api> => ({
  ...(settings as { name: string }),
  ...selection,
  ...findings,
  apiId: id,
  apiEndpoint: endpointOf(id),
  createdDate: created_at.toISOString(),
  disableExecuteApiEndpoint: settings.disableExecuteApiEndpoint ?? false,
  ipAddressType: 'ipv4',
  protocolType: 'HTTP',
  tags,
})
