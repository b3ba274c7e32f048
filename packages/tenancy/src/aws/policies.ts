/**
 * Policy templates: what one tenant may touch, as IAM statements. Each is a function of the tenant's id, so the same
 * template is a session policy (with the id) and the policy of a role whose sessions are tagged (with a variable).
 *
 * What they hold to: no `Scan`, which does not look at keys; no `ForAllValues` without `Null`, because it passes when the
 * key is absent; an id is always followed by a separator that no id contains, or compared whole, so that `t1` is not also
 * `t12`; no wildcard but after such a separator.
 */
export interface Statement {
  Effect: 'Allow'
  Action: string[]
  Resource: string[]
  Condition?: Record<string, Record<string, string | string[]>>
}
export interface PolicyDocument {
  Version: '2012-10-17'
  Statement: Statement[]
}
export type PolicyTemplate = (tenantId: string) => Statement[]

const SEPARATORS = ['#', '/', ':', '|', '.'] as const
/** What stands between an id and the rest of a key: letters that no id has. */
export type Separator = (typeof SEPARATORS)[number]

const ITEM_ACTIONS = [
  'GetItem',
  'BatchGetItem',
  'Query',
  'PutItem',
  'UpdateItem',
  'DeleteItem',
  'BatchWriteItem',
  'ConditionCheckItem',
]

/**
 * Items of one DynamoDB table whose partition key is the tenant's id, or begins with it and a separator.
 *
 * @param of `actions` without `dynamodb:`, by default all for single items and queries; `indexes` adds the table's indexes,
 * whose partition keys must be led by the tenant as well
 * @throws Error for actions that do not look at partition keys
 * @example
 * const tableArn = 'arn:aws:dynamodb:eu-central-1:123456789012:table/items'
 * const [items] = dynamoTable({ tableArn, separator: '#' })(tenantId)
 * items?.Condition?.['ForAllValues:StringLike'] // → { 'dynamodb:LeadingKeys': ['BlueKite4Jq8Zt1Ns6Yb0Xw3#*'] }
 */
export function dynamoTable(of: {
  tableArn: string
  separator?: Separator
  indexes?: boolean
  actions?: readonly string[]
}): PolicyTemplate {
  const { tableArn, separator, indexes = false, actions = ITEM_ACTIONS } = of
  requireArn(tableArn, 'dynamodb')
  requireSeparator(separator)
  const foreign = actions.find((action) => !ITEM_ACTIONS.includes(action))
  if (foreign !== undefined)
    throw new Error(`dynamodb:${foreign} does not look at partition keys, so it cannot be bounded.`)
  return (tenantId) => [
    {
      Effect: 'Allow',
      Action: actions.map((action) => `dynamodb:${action}`),
      Resource: [tableArn, ...(indexes ? [`${tableArn}/index/*`] : [])],
      Condition: {
        ...(separator === undefined
          ? { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [tenantId] } }
          : { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${tenantId}${separator}*`] } }),
        Null: { 'dynamodb:LeadingKeys': 'false' },
      },
    },
  ]
}

const OBJECT_ACTIONS = ['GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload', 'ListMultipartUploadParts']

/**
 * Objects of one S3 bucket under `<prefix><tenant>/`, and the list of them.
 *
 * @param of `prefix` ends with a slash, by default `tenants/`; `actions` without `s3:`
 * @example
 * const [objects] = bucketFolder({ bucket: 'documents-of-all' })(tenantId)
 * objects?.Resource // → ['arn:aws:s3:::documents-of-all/tenants/BlueKite4Jq8Zt1Ns6Yb0Xw3/*']
 */
export function bucketFolder(of: { bucket: string; prefix?: string; actions?: readonly string[] }): PolicyTemplate {
  const { bucket, prefix = 'tenants/', actions = OBJECT_ACTIONS } = of
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) throw new Error(`${bucket} is not the name of a bucket.`)
  if (!/^([\w-]+\/)*$/.test(prefix)) throw new Error(`The prefix ${prefix} has to be empty or to end with a slash.`)
  const foreign = actions.find((action) => !OBJECT_ACTIONS.includes(action))
  if (foreign !== undefined) throw new Error(`s3:${foreign} is not an action on one object.`)
  return (tenantId) => [
    {
      Effect: 'Allow',
      Action: actions.map((action) => `s3:${action}`),
      Resource: [`arn:aws:s3:::${bucket}/${prefix}${tenantId}/*`],
    },
    {
      Effect: 'Allow',
      Action: ['s3:ListBucket'],
      Resource: [`arn:aws:s3:::${bucket}`],
      // Without a prefix S3 lists the whole bucket.
      Condition: { StringLike: { 's3:prefix': [`${prefix}${tenantId}/*`] }, Null: { 's3:prefix': 'false' } },
    },
  ]
}

/**
 * The queue of one tenant, named `<name>-<tenant>`.
 *
 * @param of `arn`: all of the queues' ARN but the dash and the id; `isFifo` adds `.fifo`
 * @example
 * const [queue] = queueOfTenant({ arn: 'arn:aws:sqs:eu-central-1:123456789012:jobs' })(tenantId)
 * queue?.Resource // → ['arn:aws:sqs:eu-central-1:123456789012:jobs-BlueKite4Jq8Zt1Ns6Yb0Xw3']
 */
export function queueOfTenant(of: { arn: string; isFifo?: boolean }): PolicyTemplate {
  requireArn(of.arn, 'sqs')
  const actions = [
    'SendMessage',
    'ReceiveMessage',
    'DeleteMessage',
    'ChangeMessageVisibility',
    'GetQueueUrl',
    'GetQueueAttributes',
  ]
  return (tenantId) => [
    {
      Effect: 'Allow',
      Action: actions.map((action) => `sqs:${action}`),
      Resource: [`${of.arn}-${tenantId}${of.isFifo ? '.fifo' : ''}`],
    },
  ]
}

/** The session policy of one tenant. */
export const policyOf = (templates: readonly PolicyTemplate[], tenantId: string): PolicyDocument => ({
  Version: '2012-10-17',
  Statement: templates.flatMap((template) => template(tenantId)),
})

/**
 * The policy to attach to a role whose sessions carry the tenant as a tag, by AssumeRole or by the claim of a web
 * identity. A session without the tag may do nothing.
 *
 * @param tag the tag's name (`tenant`)
 * @example
 * const { Statement } = taggedRolePolicy([bucketFolder({ bucket: 'documents-of-all' })])
 * Statement[0]?.Resource // → ['arn:aws:s3:::documents-of-all/tenants/${aws:PrincipalTag/tenant}/*']
 */
export function taggedRolePolicy(templates: readonly PolicyTemplate[], tag = 'tenant'): PolicyDocument {
  const variable = `\${aws:PrincipalTag/${tag}}`
  const document = policyOf(templates, variable)
  const Statement = document.Statement.map(({ Condition = {}, ...statement }) => ({
    ...statement,
    Condition: { ...Condition, Null: { ...Condition.Null, [`aws:PrincipalTag/${tag}`]: 'false' } },
  }))
  return { ...document, Statement }
}

function requireArn(arn: string, service: string): void {
  if (new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]+:\\d{12}:[\\w/-]+$`).test(arn)) return
  throw new Error(`${arn} is not the ARN of one thing of ${service}; wildcards and variables are not taken.`)
}

function requireSeparator(separator: string | undefined): void {
  if (separator === undefined || SEPARATORS.some((known) => known === separator)) return
  throw new Error(`Put one of ${SEPARATORS.join(' ')} after the tenant’s id: ${separator} may be part of one.`)
}
