/** `@tenantry/tenancy/aws`: credentials, clients and policies of AWS for one tenant. */
export {
  bucketFolder,
  dynamoTable,
  type PolicyDocument,
  type PolicyTemplate,
  policyOf,
  queueOfTenant,
  type Separator,
  type Statement,
  taggedRolePolicy,
} from './aws/policies.ts'
export {
  AWS_TAGS_CLAIM,
  createTenantCredentials,
  type TenantAwsCredentials,
  type TenantCredentials,
  type TenantCredentialsOptions,
} from './aws/tenant-credentials.ts'
