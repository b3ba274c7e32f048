import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, afterEach, before, test } from 'node:test'
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { STSClient } from '@aws-sdk/client-sts'
import { IdentityMissing, withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { TokenRefused } from '../refusal.ts'
import { bucketFolder, dynamoTable } from './policies.ts'
import { createTenantCredentials, type TenantCredentialsOptions } from './tenant-credentials.ts'
import { isAllowed } from './test-policy.ts'
import { startSts } from './test-sts.ts'

const TABLE = 'arn:aws:dynamodb:eu-central-1:123456789012:table/items'
const ROLE = 'arn:aws:iam::123456789012:role/tenant-data'
const region = 'eu-central-1'
let sts: Awaited<ReturnType<typeof startSts>>
let offsetSeconds = 0
const now = () => new Date(Date.now() + offsetSeconds * 1000)
/** What came to DynamoDB, S3 and SQS, and under whose credentials. */
const seen: { tenantId: string; signedBy: string }[] = []
const service = createServer((request, response) => {
  let text = request.url ?? ''
  request.on('data', (chunk) => {
    text += chunk
  })
  request.on('end', () => {
    const signedBy = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? ''
    seen.push({ tenantId: /tenant-\d/.exec(text)?.[0] ?? '', signedBy })
    response.setHeader('content-type', 'application/x-amz-json-1.0').end('{}')
  })
})
let endpoint: string

before(async () => {
  sts = await startSts()
  sts.state.now = now
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
})
afterEach(() => {
  offsetSeconds = 0
  sts.calls.length = 0
  seen.length = 0
  Object.assign(sts.state, { failing: false, delayMs: 0 })
})
after(async () => {
  service.closeAllConnections()
  await Promise.all([sts.close(), new Promise((resolve) => service.close(resolve))])
})

const credentialsOf = (more: Partial<TenantCredentialsOptions> = {}) =>
  createTenantCredentials({
    sts: new STSClient({
      region,
      endpoint: sts.endpoint,
      maxAttempts: 1,
      credentials: { accessKeyId: 'AKIA-service', secretAccessKey: 's' },
    }),
    roleArn: ROLE,
    policy: [dynamoTable({ tableArn: TABLE }), bucketFolder({ bucket: 'documents-of-all' })],
    now,
    ...more,
  })
const as = <T>(tenantId: string, work: () => T, tier?: string): T =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'test', ...(tier ? { tier } : {}) }), work)
const refused = (error: unknown) => error instanceof TokenRefused && error.code === 'tenant_refused'

test('the role is assumed with a session policy and a tag of the current identity’s tenant, and of no other', async () => {
  const credentials = credentialsOf()
  const got = await as('tenant-a', credentials.current)
  assert.equal(got.accessKeyId, 'ASIA-tenant-tenant-a-1')
  const { parameters, signedBy } = sts.calls[0]!
  assert.equal(signedBy, 'AKIA-service')
  assert.equal(parameters.Action, 'AssumeRole')
  assert.equal(parameters.RoleArn, ROLE)
  assert.equal(parameters.DurationSeconds, '900')
  assert.deepEqual([parameters['Tags.member.1.Key'], parameters['Tags.member.1.Value']], ['tenant', 'tenant-a'])
  const policy = JSON.parse(parameters.Policy!)
  const get = (key: string) => ({
    action: 'dynamodb:GetItem',
    resource: TABLE,
    context: { 'dynamodb:LeadingKeys': [key] },
  })
  assert.ok(isAllowed(policy, get('tenant-a')))
  assert.ok(!isAllowed(policy, get('tenant-b')))
})

test('N26 200 callers at once: one call to STS for each tenant, and nobody gets another’s credentials', async () => {
  sts.state.delayMs = 20
  const credentials = credentialsOf()
  await Promise.all(
    Array.from({ length: 200 }, (_, n) => {
      const tenantId = `tenant-${n % 10}`
      return as(tenantId, async () => {
        assert.match((await credentials.current()).accessKeyId, new RegExp(`^ASIA-tenant-${tenantId}-\\d+$`))
      })
    }),
  )
  assert.equal(sts.calls.length, 10)
})

test('unmodified clients of DynamoDB, S3 and SQS sign with the credentials of whoever asks, side by side', async () => {
  const credentials = credentialsOf()
  const common = { region, endpoint, maxAttempts: 1 }
  const dynamo = credentials.client((provider) => new DynamoDBClient({ ...common, credentials: provider }))
  const s3 = credentials.client((provider) => new S3Client({ ...common, forcePathStyle: true, credentials: provider }))
  const sqs = credentials.client((provider) => new SQSClient({ ...common, credentials: provider }))
  await Promise.all(
    Array.from({ length: 60 }, (_, n) => {
      const tenantId = `tenant-${n % 5}`
      return as(tenantId, () => {
        const [one, two, three] = [dynamo(), s3(), sqs()]
        return Promise.all([
          one.send(new GetItemCommand({ TableName: 'items', Key: { tenant: { S: tenantId } } })),
          two.send(new GetObjectCommand({ Bucket: 'documents-of-all', Key: `tenants/${tenantId}/a` })),
          three.send(new ReceiveMessageCommand({ QueueUrl: `${endpoint}/123456789012/jobs-${tenantId}` })),
        ])
      })
    }),
  )
  assert.equal(seen.length, 180)
  for (const { tenantId, signedBy } of seen) assert.match(signedBy, new RegExp(`^ASIA-tenant-${tenantId}-\\d+$`))
  assert.equal(sts.calls.length, 5)
  assert.throws(dynamo, IdentityMissing)
})

test('credentials are renewed behind those who ask before they end, and waited for only when they have ended', async () => {
  const credentials = credentialsOf()
  const ask = () => as('tenant-a', credentials.current)
  const first = await ask()
  offsetSeconds = 500
  assert.equal(await ask(), first)
  assert.equal(sts.calls.length, 1)
  offsetSeconds = 700
  assert.equal(await ask(), first)
  while (sts.calls.length < 2) await new Promise((resolve) => setImmediate(resolve))
  while ((await ask()) === first) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(sts.calls.length, 2)
  sts.state.failing = true
  offsetSeconds = 1_500
  const second = await ask()
  assert.ok(second.expiration.getTime() - now().getTime() > 30_000)
  offsetSeconds = 1_700
  await assert.rejects(ask(), /no/)
  sts.state.failing = false
  assert.notEqual(await ask(), second)
})

test('what STS refuses is no credentials for anybody, and is asked again', async () => {
  sts.state.failing = true
  const credentials = credentialsOf()
  await assert.rejects(as('tenant-a', credentials.current), { name: 'AccessDenied' })
  sts.state.failing = false
  assert.equal((await as('tenant-a', credentials.current)).accessKeyId, 'ASIA-tenant-tenant-a-2')
})

test('W12 W13 N236 N237 without a tenant that can stand in a policy there are no credentials and no call', async () => {
  const credentials = credentialsOf()
  await assert.rejects(async () => credentials.current(), IdentityMissing)
  for (const tenantId of [
    '*',
    'tenant-*',
    'a?bc',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy's variable, not a template's
    '${aws:username}',
    'a/b/',
    'undefined',
    'null',
    'abc',
    'té-nant',
    'a b c',
    'x'.repeat(65),
    'a#b:c',
  ]) {
    await assert.rejects(as(tenantId, credentials.current), refused, tenantId)
  }
  const odd = { ...backgroundIdentity({ tenantId: 'tenant-a', reason: 'test' }) }
  for (const tenantId of [undefined, '', ['tenant-a'], { toString: () => 'tenant-a' }]) {
    await assert.rejects(withIdentity({ ...odd, tenantId: tenantId as string }, credentials.current), refused)
  }
  assert.equal(sts.calls.length, 0)
})

test('another role for another tier is another session, a bounded number is kept, and a tenant can be forgotten', async () => {
  const credentials = credentialsOf({ roleArn: ({ tier }) => `${ROLE}-${tier ?? 'basic'}`, maxTenants: 3 })
  await as('tenant-a', credentials.current)
  await as('tenant-a', credentials.current, 'premium')
  assert.deepEqual(
    sts.calls.map(({ parameters }) => parameters.RoleArn),
    [`${ROLE}-basic`, `${ROLE}-premium`],
  )
  for (const tenantId of ['tenant-b', 'tenant-c']) await as(tenantId, credentials.current)
  await as('tenant-c', credentials.current)
  assert.equal(sts.calls.length, 4)
  await as('tenant-a', credentials.current)
  assert.equal(sts.calls.length, 5)
  credentials.forget('tenant-c')
  await as('tenant-c', credentials.current)
  assert.equal(sts.calls.length, 6)
})

test('N239 a tenant that is forgotten, changes its tier or outlives its credentials has none unless STS gives new ones', async () => {
  const credentials = credentialsOf({ roleArn: ({ tier }) => `${ROLE}-${tier ?? 'basic'}` })
  const ask = (tier?: string) => as('tenant-a', credentials.current, tier)
  const first = await ask()
  // Suspended or off-boarded while new ones are on their way: they come too late for anybody.
  offsetSeconds = 700
  sts.state.delayMs = 20
  assert.equal(await ask(), first)
  while (sts.calls.length < 2) await new Promise((resolve) => setImmediate(resolve))
  credentials.forget('tenant-a')
  const late = as('tenant-b', credentials.current)
  sts.state.delayMs = 0
  const own = await ask()
  assert.notEqual(own, first)
  // This answer was asked for later, so that one has come.
  await late
  assert.equal(await ask(), own)

  sts.state.failing = true
  // Another tier is another role: those of the old one do not stand in for it.
  await assert.rejects(ask('premium'), { name: 'AccessDenied' })
  assert.equal(await ask(), own)
  // A clock that jumps: beyond the end there are none, and each is asked for again.
  for (const seconds of [1_700, 90_000]) {
    offsetSeconds = seconds
    await assert.rejects(ask(), { name: 'AccessDenied' })
  }
  offsetSeconds = 700
  assert.equal(await ask(), own)
  credentials.forget()
  await assert.rejects(ask(), { name: 'AccessDenied' })
  await assert.rejects(as('tenant-b', credentials.current), { name: 'AccessDenied' })
})

const tokenWith = (tags: unknown) =>
  [{ alg: 'RS256' }, { sub: 's', 'https://aws.amazon.com/tags': tags }, 'signature']
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')

test('by web identity: the issuer’s token goes to STS unsigned, when it carries this tenant and no other', async () => {
  const tags = (values: unknown) => ({ principal_tags: { tenant: values } })
  let token = tokenWith(tags(['tenant-a']))
  const credentials = credentialsOf({
    webIdentityToken: async () => token,
    sts: new STSClient({ region, endpoint: sts.endpoint, maxAttempts: 1 }),
  })
  await as('tenant-a', credentials.current)
  const { parameters, signedBy } = sts.calls[0]!
  assert.equal(signedBy, undefined)
  assert.deepEqual([parameters.Action, parameters.WebIdentityToken], ['AssumeRoleWithWebIdentity', token])
  assert.ok(parameters.Policy!.includes('tenant-a'))
  for (const wrong of [
    tags(['tenant-a']),
    tags([]),
    tags(['tenant-b', 'tenant-a']),
    tags('tenant-b'),
    {},
    undefined,
    [],
  ]) {
    token = tokenWith(wrong)
    await assert.rejects(as('tenant-b', credentials.current), refused, JSON.stringify(wrong))
  }
  token = 'not.a.token'
  await assert.rejects(as('tenant-b', credentials.current), refused)
  assert.equal(sts.calls.length, 1)
})

test('a session policy that AWS would not take is refused when it is made', () => {
  const many = Array.from({ length: 12 }, (_, n) => dynamoTable({ tableArn: `${TABLE}${n}` }))
  assert.throws(() => credentialsOf({ policy: many as never }), /2048 characters/)
})
