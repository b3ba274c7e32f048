/** The leaks that can be switched on, each by itself, and as what and where the proof has to report it. */
import type { Kind } from '@tenantry/tenancy/proof'

export interface SeededLeak {
  kind: Kind
  route: string
  what: string
}

export const leaks = {
  'list-unlimited': { kind: 'own-request', route: 'GET /projects', what: 'the list has no WHERE' },
  'read-unlimited': { kind: 'read-by-id', route: 'GET /projects/{projectId}', what: 'looked up by id alone' },
  'export-unlimited': {
    kind: 'read-by-id',
    route: 'GET /exports/{exportId}',
    what: 'numbered exports, looked up by number alone',
  },
  'tasks-of-any-project': {
    kind: 'read-by-id',
    route: 'GET /projects/{projectId}/tasks',
    what: 'the parent is not looked up',
  },
  'update-unlimited': { kind: 'update-by-id', route: 'PATCH /projects/{projectId}', what: 'UPDATE by id alone' },
  'delete-unlimited': { kind: 'delete-by-id', route: 'DELETE /projects/{projectId}', what: 'DELETE by id alone' },
  'delete-nested': {
    kind: 'delete-by-id',
    route: 'DELETE /projects/{projectId}/tasks/{taskId}',
    what: 'DELETE by the task’s id alone',
  },
  'upsert-over-all': { kind: 'update-by-id', route: 'PUT /files/{name}', what: 'names are one space for all tenants' },
  'create-under-any': {
    kind: 'create-under',
    route: 'POST /projects/{projectId}/tasks',
    what: 'the task goes to the project’s tenant',
  },
  'child-by-id': {
    kind: 'nested-id',
    route: 'GET /projects/{projectId}/tasks/{taskId}',
    what: 'only the parent is checked',
  },
  'id-case': {
    kind: 'id-variant',
    route: 'GET /projects/{projectId}',
    what: 'checked exactly, looked up without regard to case',
  },
  'id-pattern': {
    kind: 'id-variant',
    route: 'GET /projects/{projectId}',
    what: 'looked up with LIKE where there is a %',
  },
  'query-tenant': { kind: 'query-tenant', route: 'GET /projects', what: '?tenantId= is believed' },
  'header-tenant': { kind: 'header-tenant', route: 'GET /tasks', what: 'X-Tenant-Id is believed' },
  'header-tenant-write': { kind: 'header-tenant', route: 'POST /tasks', what: 'X-Org-Id is believed when writing' },
  'forwarded-host': {
    kind: 'host-tenant',
    route: 'GET /projects/{projectId}/tasks',
    what: 'the first label of X-Forwarded-Host is the tenant',
  },
  'filter-replaces': {
    kind: 'query-reference',
    route: 'GET /tasks',
    what: '?projectId= replaces the limit to the tenant',
  },
  'repeated-ids': { kind: 'query-repeated', route: 'GET /tasks', what: 'only the first of ids is checked' },
  'scope-all': { kind: 'query-widening', route: 'GET /projects', what: '?scope=all takes the limit away' },
  'mass-assignment': { kind: 'body-tenant', route: 'POST /projects', what: 'tenantId of the body is stored' },
  'nested-assignment': { kind: 'body-tenant', route: 'POST /exports', what: 'tenant.id of the body is stored' },
  'give-away': { kind: 'move', route: 'PATCH /projects/{projectId}', what: 'tenantId of the body is stored on update' },
  'foreign-reference': {
    kind: 'body-reference',
    route: 'POST /tasks',
    what: 'project.id is not looked up within the tenant',
  },
  'reference-expanded': {
    kind: 'body-reference',
    route: 'POST /exports',
    what: 'an export of another’s project is accepted and holds it',
  },
  'batch-first-checked': { kind: 'batch', route: 'POST /tasks/batch', what: 'only the first id is checked' },
  'batch-of-objects': { kind: 'batch', route: 'POST /tasks/lookup', what: 'ids in objects are not checked' },
  'filter-replaced': {
    kind: 'filter-object',
    route: 'POST /tasks/search',
    what: 'filter.tenantId replaces the tenant’s',
  },
  'filter-or': { kind: 'filter-object', route: 'POST /tasks/search', what: 'filter.or is OR-ed with the tenant’s' },
  'cursor-tenant': { kind: 'cursor', route: 'GET /projects', what: 'the cursor carries the tenant' },
  'file-climbs': { kind: 'file-name', route: 'GET /files/{name}', what: '.. in names is resolved' },
  'file-climbs-write': { kind: 'file-name', route: 'PUT /files/{name}', what: '.. in names is resolved when writing' },
  'method-override': {
    kind: 'method-override',
    route: 'DELETE /projects/{projectId}',
    what: 'X-HTTP-Method-Override is read after the check',
  },
  'no-token': { kind: 'no-token', route: 'GET /exports/{exportId}', what: 'the route is not behind authentication' },
  'any-token': { kind: 'bad-token', route: 'GET /exports/{exportId}', what: 'a token has to be there, no more' },
  'unverified-token': { kind: 'forged-token', route: 'GET /projects', what: 'the token is decoded and not verified' },
  'alg-none': { kind: 'forged-token', route: 'GET /projects/{projectId}/tasks', what: 'alg none is accepted' },
  'expired-token': { kind: 'expired-token', route: 'GET /files', what: 'exp is not checked' },
  'cache-by-url': { kind: 'cache-shared', route: 'GET /tasks', what: 'answers are kept by URL' },
  'cache-of-item': {
    kind: 'cache-shared',
    route: 'GET /projects/{projectId}',
    what: 'records are kept by URL, and the tenant compared before',
  },
  'etag-first': {
    kind: 'cache-validator',
    route: 'GET /projects/{projectId}',
    what: 'If-None-Match is answered before the tenant is compared',
  },
  'cache-public': { kind: 'cache-public', route: 'GET /files', what: 'cache-control: public' },
  'identity-by-connection': { kind: 'connection', route: 'GET /projects', what: 'who calls is remembered by socket' },
  'shared-variable': { kind: 'race', route: 'GET /tasks', what: 'the current tenant is a variable of the module' },
  'pooled-setting': {
    kind: 'race',
    route: 'GET /files',
    what: 'the tenant is a setting of a pooled connection, outside a transaction',
  },
  'error-quotes': { kind: 'error-text', route: 'DELETE /projects/{projectId}', what: 'the refusal names the project' },
  'forbidden-not-missing': {
    kind: 'existence',
    route: 'GET /projects/{projectId}/tasks/{taskId}',
    what: '403 for what exists, 404 for what does not',
  },
  'differs-in-body': {
    kind: 'existence',
    route: 'PATCH /projects/{projectId}',
    what: 'the same status with another code',
  },
  'unique-over-all': { kind: 'uniqueness', route: 'POST /projects', what: 'a unique index on code alone' },
  'count-over-all': { kind: 'aggregate', route: 'GET /stats', what: 'counted over all tenants' },
} as const satisfies Record<string, SeededLeak>

export type Leak = keyof typeof leaks
