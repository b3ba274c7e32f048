/** What is tried, and what it means when it succeeds. One row per kind of leak; reports, JUnit and the guide speak of these. */
export type Severity = 'critical' | 'high' | 'medium'

export interface KindFacts {
  title: string
  severity: Severity
  cause: string
  remedy: string
}

const unfiltered = 'The query behind this route is not limited to the tenant of the token.'
const scope =
  'Let the database enforce the tenant (row-level security with the tenant of the verified token), not each query.'
const fromToken = 'Take the tenant from the verified token alone; refuse or ignore it everywhere else.'

export const kinds = {
  'own-request': {
    title: 'An ordinary request shows another tenant’s data',
    severity: 'critical',
    cause: unfiltered,
    remedy: scope,
  },
  'read-by-id': {
    title: 'Another tenant’s record is read by its id',
    severity: 'critical',
    cause: 'The record is looked up by its id alone.',
    remedy: scope,
  },
  'nested-id': {
    title: 'Another tenant’s record is reached under an own parent',
    severity: 'critical',
    cause: 'Only the parent in the path is checked; the child is looked up by its id alone.',
    remedy: 'Look the child up by tenant, parent and id together.',
  },
  'update-by-id': {
    title: 'Another tenant’s record is changed by its id',
    severity: 'critical',
    cause: 'The UPDATE names the id alone.',
    remedy: `${scope} A policy needs USING and WITH CHECK.`,
  },
  'delete-by-id': {
    title: 'Another tenant’s record is deleted by its id',
    severity: 'critical',
    cause: 'The DELETE names the id alone.',
    remedy: scope,
  },
  'create-under': {
    title: 'A record is created under another tenant’s parent',
    severity: 'critical',
    cause: 'The parent in the path is not looked up within the tenant.',
    remedy: 'Let foreign keys begin with the tenant: (tenant_id, parent_id).',
  },
  'id-variant': {
    title: 'Another spelling of the id or the path gets around the check',
    severity: 'critical',
    cause: 'Check and look-up read the id differently: upper and lower case, encoding, prefix, wildcard, suffix.',
    remedy: 'Bring ids into one form once, refuse all others, and compare exactly.',
  },
  'query-tenant': {
    title: 'A query parameter chooses the tenant',
    severity: 'critical',
    cause: 'The tenant is read from the query string.',
    remedy: fromToken,
  },
  'header-tenant': {
    title: 'A header chooses the tenant',
    severity: 'critical',
    cause: 'A header that a gateway is supposed to set is believed from anybody.',
    remedy: fromToken,
  },
  'host-tenant': {
    title: 'A forwarded or foreign host name chooses the tenant',
    severity: 'critical',
    cause: 'The tenant is taken from Host or X-Forwarded-Host and not compared with the token’s.',
    remedy: 'Compare the tenant of the host with that of the token, and believe X-Forwarded-* from your proxy alone.',
  },
  'query-reference': {
    title: 'A filter by another tenant’s id or text finds its data',
    severity: 'critical',
    cause: 'A filter replaces the limit to the tenant instead of being added to it.',
    remedy: scope,
  },
  'query-repeated': {
    title: 'A repeated parameter smuggles another tenant’s id',
    severity: 'critical',
    cause: 'The check reads one of several values, the query all of them.',
    remedy: 'Refuse parameters that are given twice; check each value of a list.',
  },
  'query-widening': {
    title: 'A parameter widens the answer beyond the tenant',
    severity: 'critical',
    cause: 'include, expand, fields, scope, sort or filter parameters reach records without the limit to the tenant.',
    remedy: `${scope} Allow only listed values.`,
  },
  'body-tenant': {
    title: 'A member of the body chooses the tenant',
    severity: 'critical',
    cause: 'Members of the body are copied to the record (mass assignment), the tenant among them.',
    remedy: `${fromToken} Refuse members that are not in the schema.`,
  },
  'body-reference': {
    title: 'A reference in the body reaches another tenant’s record',
    severity: 'high',
    cause: 'The record that the body names is looked up by its id alone.',
    remedy: 'Let foreign keys begin with the tenant: (tenant_id, project_id).',
  },
  move: {
    title: 'A record is moved between tenants',
    severity: 'critical',
    cause: 'An update may set the member that says whose the record is.',
    remedy: 'Never update the tenant’s column; give policies a WITH CHECK.',
  },
  batch: {
    title: 'A batch reaches another tenant’s records among own ones',
    severity: 'critical',
    cause: 'Only the first, or none, of the ids is checked.',
    remedy: scope,
  },
  'filter-object': {
    title: 'A filter in the body reaches beyond the tenant',
    severity: 'critical',
    cause: 'What the client sends becomes part of the condition and replaces the tenant’s, or is OR-ed with it.',
    remedy: `${scope} Translate filters from a list of known members and operators.`,
  },
  cursor: {
    title: 'Another tenant’s page token continues its list',
    severity: 'critical',
    cause: 'The cursor carries the tenant or the query, and is believed.',
    remedy: 'Let a cursor carry a position only, or seal it with the tenant.',
  },
  'file-name': {
    title: 'A file name or object key leads into another tenant’s files',
    severity: 'critical',
    cause: 'The name is joined to the tenant’s folder before `..` and encodings are resolved.',
    remedy: 'Store under generated keys; refuse names with separators after decoding once.',
  },
  'method-override': {
    title: 'An overridden method gets around the check',
    severity: 'critical',
    cause: 'The check sees the method of the request, the handler the one of X-HTTP-Method-Override or _method.',
    remedy: 'Do not support method overriding, or apply it before everything else.',
  },
  'no-token': {
    title: 'Without a token a tenant’s data is answered',
    severity: 'critical',
    cause: 'The route is not behind authentication.',
    remedy: 'Deny by default; open routes one by one.',
  },
  'bad-token': {
    title: 'With a meaningless token a tenant’s data is answered',
    severity: 'critical',
    cause: 'The token’s presence is checked, or a failed check falls back to a default.',
    remedy: 'Refuse what does not verify; there is no default tenant.',
  },
  'forged-token': {
    title: 'A forged token is believed',
    severity: 'critical',
    cause: 'The token is decoded and not verified, or `alg: none` is accepted.',
    remedy: 'Verify signature, pinned algorithm, issuer and audience before reading any claim.',
  },
  'expired-token': {
    title: 'An expired token is believed',
    severity: 'high',
    cause: '`exp` is not checked.',
    remedy: 'Check `exp` with at most a minute of leeway.',
  },
  'cache-shared': {
    title: 'A cache answers one tenant with what it keeps of another',
    severity: 'critical',
    cause: 'The cache’s key is the URL without the tenant.',
    remedy: 'Put the tenant into every cache key; send `cache-control: private` or `vary: authorization`.',
  },
  'cache-validator': {
    title: 'Another tenant’s ETag is confirmed',
    severity: 'medium',
    cause: 'If-None-Match is answered before it is known whether the caller may see the record.',
    remedy: 'Look up within the tenant first, then compare validators.',
  },
  'cache-public': {
    title: 'A tenant’s answer allows shared caches to keep it',
    severity: 'medium',
    cause: '`cache-control` says public or s-maxage, and `vary` does not name authorization.',
    remedy: 'Send `cache-control: private, no-store` for what a token decides.',
  },
  connection: {
    title: 'On a shared connection one tenant is answered as the other',
    severity: 'critical',
    cause: 'Who calls is remembered by connection, and a proxy shares connections.',
    remedy: 'Authenticate each request.',
  },
  race: {
    title: 'Under concurrent requests tenants’ answers are mixed up',
    severity: 'critical',
    cause: 'The current tenant is kept in a variable that requests share, or on a pooled connection.',
    remedy: 'Carry the tenant with the request (AsyncLocalStorage), and set it per transaction.',
  },
  'error-text': {
    title: 'An error quotes another tenant’s data',
    severity: 'high',
    cause: 'The record is loaded before the tenant is compared, and the message tells of it.',
    remedy: 'Answer for what is foreign exactly as for what never was.',
  },
  existence: {
    title: 'Answers tell which foreign ids exist',
    severity: 'medium',
    cause: 'A foreign record is refused in another way than a missing one (403 or 409 against 404).',
    remedy: 'Answer for what is foreign exactly as for what never was.',
  },
  uniqueness: {
    title: 'A conflict tells what another tenant has',
    severity: 'medium',
    cause: 'A unique key does not begin with the tenant.',
    remedy: 'Make keys unique within the tenant: (tenant_id, code).',
  },
  aggregate: {
    title: 'Figures of one tenant count another’s records',
    severity: 'medium',
    cause: 'A count, sum or total is computed over all tenants.',
    remedy: scope,
  },
  'wrong-host': {
    title: 'A token of one tenant opens the other’s host',
    severity: 'critical',
    cause: 'The tenant is taken from the host, the token is only checked for being genuine.',
    remedy: 'Compare the tenant of the host with that of the token.',
  },
} as const satisfies Record<string, KindFacts>

export type Kind = keyof typeof kinds
