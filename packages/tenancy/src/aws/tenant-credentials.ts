/**
 * AWS credentials of one tenant. A role is assumed for the tenant of the current identity, bounded by a session policy
 * and tagged; DynamoDB, S3 and SQS then refuse what is another tenant's, whatever the code asks for.
 *
 * Credentials are kept per tenant, role and policy, and never looked up by anything a caller sends. A client of the AWS
 * SDK remembers the credentials that it got first and gives them to everybody who uses it, so each tenant gets a client of
 * its own (`client`); a provider for a shared client is not to be had.
 */
import { createHash } from 'node:crypto'
import { AssumeRoleCommand, AssumeRoleWithWebIdentityCommand, type STSClient } from '@aws-sdk/client-sts'
import { systemTime } from '../clock.ts'
import { currentIdentity, withoutIdentity } from '../identity/context.ts'
import type { SaasIdentity } from '../identity/saas-identity.ts'
import { TokenRefused } from '../refusal.ts'
import { decodeToken } from '../token/jws.ts'
import { type PolicyTemplate, policyOf } from './policies.ts'

export interface TenantCredentialsOptions {
  sts: STSClient
  /** The role, or one per identity, such as by tier. */
  roleArn: string | ((identity: SaasIdentity) => string)
  /** What the session may touch, beyond what the role may: never more than both allow. */
  policy: readonly [PolicyTemplate, ...PolicyTemplate[]]
  /** The session's tag with the tenant's id (`tenant`); the role's trust then has to allow `sts:TagSession`. */
  tag?: string
  /**
   * Gets a token of the issuer for `sts.amazonaws.com` that names this tenant in its AWS tags: then the role is assumed by
   * web identity, without credentials of our own. Without it, by AssumeRole.
   */
  webIdentityToken?: (identity: SaasIdentity) => Promise<string>
  /** Seconds that credentials last (900, AWS's least). They are renewed before half a minute is left. */
  sessionSeconds?: number
  /** For how many tenants credentials and clients are kept (1,000). */
  maxTenants?: number
  now?: () => Date
}

export interface TenantAwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly expiration: Date
}

export interface TenantCredentials {
  /**
   * Credentials of the current identity's tenant.
   * @throws IdentityMissing, TokenRefused `tenant_refused` for an id that could widen a policy, or what STS answered
   */
  current(): Promise<TenantAwsCredentials>
  /** Makes clients of the AWS SDK, one for each tenant, and hands out the current identity's. */
  client<Client>(create: (credentials: () => Promise<TenantAwsCredentials>) => Client): () => Client
  /** Drops what is kept of a tenant, or of all. What is out already stays good at AWS until it expires. */
  forget(tenantId?: string): void
}

/** AWS's claim for session tags in a web identity's token. */
export const AWS_TAGS_CLAIM = 'https://aws.amazon.com/tags'

// The least time that credentials handed out are still good for.
const SPARE_MS = 30_000
// AWS's limit on the plain text of a session policy.
const POLICY_CHARACTERS = 2_048

/**
 * @throws Error for a policy that AWS would refuse as too long
 * @example
 * import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
 * import { STSClient } from '@aws-sdk/client-sts'
 *
 * const region = 'eu-central-1'
 * const credentials = createTenantCredentials({
 *   sts: new STSClient({ region }),
 *   roleArn: 'arn:aws:iam::123456789012:role/tenant-data',
 *   policy: [dynamoTable({ tableArn: 'arn:aws:dynamodb:eu-central-1:123456789012:table/items' })],
 * })
 * const dynamo = credentials.client((provider) => new DynamoDBClient({ region, credentials: provider }))
 * const item = new GetItemCommand({ TableName: 'items', Key: { tenant: { S: tenantId }, id: { S: '1' } } })
 * await withIdentity(identity, () => dynamo().send(item))
 */
export function createTenantCredentials(options: TenantCredentialsOptions): TenantCredentials {
  const { sts, policy: templates, maxTenants = 1_000 } = options
  const now = options.now ?? systemTime
  const sessions = bounded<Session>(maxTenants)
  const makers: Bounded<{ tenantId: string; client: unknown }>[] = []
  const roleOf = (identity: SaasIdentity) =>
    typeof options.roleArn === 'function' ? options.roleArn(identity) : options.roleArn
  const assume = options.webIdentityToken ? byWebIdentity : byRole
  if (JSON.stringify(policyOf(templates, 'x'.repeat(64))).length > POLICY_CHARACTERS) {
    throw new Error(
      `The session policy is longer than the ${POLICY_CHARACTERS} characters that AWS takes. Split the role.`,
    )
  }

  const credentialsOf = async (identity: SaasIdentity): Promise<TenantAwsCredentials> => {
    const tenantId = safeTenantId(identity.tenantId)
    const roleArn = roleOf(identity)
    const policy = JSON.stringify(policyOf(templates, tenantId))
    const key = JSON.stringify([tenantId, roleArn, createHash('sha256').update(policy).digest('base64')])
    const session = sessions.get(key) ?? sessions.add(key, { tenantId, known: undefined, pending: undefined })
    const leftMs = (session.known?.expiration.getTime() ?? 0) - now().getTime()
    const lifeMs = (options.sessionSeconds ?? 900) * 1000
    // In the last third it is renewed behind those who ask; only without enough time left do they wait.
    if (leftMs < lifeMs / 3) {
      session.pending ??= withoutIdentity(() => assume(sts, { identity, tenantId, roleArn, policy }, options))
        .then((credentials) => {
          session.known = credentials
          return credentials
        })
        .finally(() => {
          session.pending = undefined
        })
      if (leftMs < SPARE_MS) return session.pending
      session.pending.catch(() => undefined)
    }
    return session.known!
  }

  return {
    current: () => credentialsOf(currentIdentity()),
    client<Client>(create: (credentials: () => Promise<TenantAwsCredentials>) => Client) {
      const clients = bounded<{ tenantId: string; client: unknown }>(maxTenants)
      makers.push(clients)
      return () => {
        const identity = currentIdentity()
        const tenantId = safeTenantId(identity.tenantId)
        // With the role, because a tenant that has changed its tier may be due another one.
        const key = JSON.stringify([tenantId, roleOf(identity)])
        const made = clients.get(key)
        // Bound to this identity for good: it is asked again in whoever's request the credentials run out.
        const { client } = made ?? clients.add(key, { tenantId, client: create(() => credentialsOf(identity)) })
        return client as Client
      }
    },
    forget(gone) {
      for (const kept of [sessions, ...makers]) kept.drop(({ tenantId }) => gone === undefined || tenantId === gone)
    },
  }
}

interface Session {
  readonly tenantId: string
  known: TenantAwsCredentials | undefined
  pending: Promise<TenantAwsCredentials> | undefined
}

interface Wanted {
  identity: SaasIdentity
  tenantId: string
  roleArn: string
  policy: string
}

/**
 * Letters, digits, dash and underscore only: `*`, `?` and `$` mean something in policies, a slash in keys. A claim that
 * somebody forgot to fill is not a tenant either.
 */
function safeTenantId(tenantId: unknown): string {
  if (typeof tenantId === 'string' && /^[\w-]{4,64}$/.test(tenantId) && !['undefined', 'null'].includes(tenantId)) {
    return tenantId
  }
  throw new TokenRefused(
    'tenant_refused',
    'The tenant’s id cannot stand in a policy: it needs 4 to 64 letters and digits.',
  )
}

async function byRole(
  sts: STSClient,
  wanted: Wanted,
  options: TenantCredentialsOptions,
): Promise<TenantAwsCredentials> {
  const { Credentials } = await sts.send(
    new AssumeRoleCommand({
      RoleArn: wanted.roleArn,
      RoleSessionName: sessionName(wanted),
      Policy: wanted.policy,
      Tags: [{ Key: options.tag ?? 'tenant', Value: wanted.tenantId }],
      DurationSeconds: options.sessionSeconds ?? 900,
    }),
  )
  return complete(Credentials)
}

async function byWebIdentity(
  sts: STSClient,
  wanted: Wanted,
  options: TenantCredentialsOptions,
): Promise<TenantAwsCredentials> {
  const token = await options.webIdentityToken!(wanted.identity)
  requireTag(token, options.tag ?? 'tenant', wanted.tenantId)
  const { Credentials } = await sts.send(
    new AssumeRoleWithWebIdentityCommand({
      RoleArn: wanted.roleArn,
      RoleSessionName: sessionName(wanted),
      WebIdentityToken: token,
      Policy: wanted.policy,
      DurationSeconds: options.sessionSeconds ?? 900,
    }),
  )
  return complete(Credentials)
}

/** AWS verifies the token; that it is this tenant's, and not one that a cache mixed up, only we can see. */
function requireTag(token: string, tag: string, tenantId: string): void {
  const decoded = decodeToken(token)
  const tags = typeof decoded === 'string' ? undefined : (decoded.claims[AWS_TAGS_CLAIM] as Tags | undefined)
  const values = tags?.principal_tags?.[tag]
  if (Array.isArray(values) && values.length === 1 && values[0] === tenantId) return
  throw new TokenRefused('tenant_refused', 'The web identity’s token does not carry this tenant in its AWS tags.')
}
interface Tags {
  principal_tags?: Record<string, unknown>
}

/** Shown in CloudTrail; AWS takes 64 characters. */
const sessionName = ({ tenantId }: Wanted) => `tenant-${tenantId}`.slice(0, 64)

type Given = { AccessKeyId?: string; SecretAccessKey?: string; SessionToken?: string; Expiration?: Date } | undefined
function complete(given: Given): TenantAwsCredentials {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = given ?? {}
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration)
    throw new Error('STS answered without credentials.')
  return Object.freeze({
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiration: Expiration,
  })
}

interface Bounded<Value> {
  get(key: string): Value | undefined
  add(key: string, value: Value): Value
  drop(isGone: (value: Value) => boolean): void
}

/** A map that forgets what was not used longest. */
function bounded<Value>(most: number): Bounded<Value> {
  const entries = new Map<string, Value>()
  return {
    get(key) {
      const value = entries.get(key)
      if (value === undefined) return undefined
      entries.delete(key)
      entries.set(key, value)
      return value
    },
    add(key, value) {
      entries.set(key, value)
      const oldest = entries.keys().next()
      if (entries.size > most && !oldest.done) entries.delete(oldest.value)
      return value
    },
    drop(isGone) {
      for (const [key, value] of entries) if (isGone(value)) entries.delete(key)
    },
  }
}
