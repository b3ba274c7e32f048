import { isMembers, wholeNumber } from '../document.ts'
import { functionArn } from './references.ts'
import type { Resource, Template } from './template.ts'

/** A function that a template defines, for whoever runs functions. */
export interface FunctionSource {
  readonly logicalId: string
  readonly name: string
  readonly arn: string
  readonly code: FunctionCode
  /** `module.export`; `null` for a container image. */
  readonly handler: string | null
  readonly runtime: string | null
  readonly memoryMb: number
  readonly timeoutSeconds: number
  readonly environment: Readonly<Record<string, string>>
}

export type FunctionCode =
  /** A directory, file or archive; relative to the template. */
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'inline'; readonly text: string }
  /** Somewhere in AWS. */
  | { readonly kind: 'remote'; readonly location: string }

const functionMembers = ['FunctionName', 'Code', 'Handler', 'Runtime', 'MemorySize', 'Timeout', 'Environment']

/** What AWS knows besides, and what only AWS can do. */
const foreignMembers = [
  ...['Architectures', 'CapacityProviderConfig', 'CodeSigningConfigArn', 'DeadLetterConfig', 'Description'],
  ...['DurableConfig', 'EphemeralStorage', 'FileSystemConfigs', 'FunctionScalingConfig', 'ImageConfig', 'KmsKeyArn'],
  ...['Layers', 'LoggingConfig', 'PackageType', 'PublishToLatestPublished', 'RecursiveLoop'],
  ...['ReservedConcurrentExecutions', 'Role', 'RuntimeManagementConfig', 'SnapStart', 'Tags', 'TenancyConfig'],
  ...['TracingConfig', 'VpcConfig'],
]

/** Reads every function of a template, used by an API or not. */
export const readFunctions = (template: Template): readonly FunctionSource[] =>
  template.ofType('AWS::Lambda::Function').map((resource) => readFunction(resource, template))

function readFunction(resource: Resource, template: Template): FunctionSource {
  const here = resource.place.in('Properties')
  const properties = template.read(resource, functionMembers, foreignMembers)
  const text = (property: string): string | null => {
    const value = properties[property]
    return typeof value === 'string' && value !== '' ? value : null
  }
  const number = (property: string, fallback: number, max: number): number => {
    const value = properties[property]
    return value === undefined ? fallback : (wholeNumber(value, { min: 1, max }, here.in(property)) ?? fallback)
  }
  const name = template.idOf(resource)
  return {
    logicalId: resource.logicalId,
    name,
    arn: functionArn(name, template),
    code: readCode(resource, properties.Code),
    handler: text('Handler'),
    runtime: text('Runtime'),
    memoryMb: number('MemorySize', 128, 10_240),
    timeoutSeconds: number('Timeout', 3, 900),
    environment: readEnvironment(resource, properties.Environment),
  }
}

function readEnvironment(resource: Resource, environment: unknown): Readonly<Record<string, string>> {
  const here = resource.place.in('Properties').in('Environment').in('Variables')
  const variables = isMembers(environment) && isMembers(environment.Variables) ? environment.Variables : {}
  const entries = Object.entries(variables).map(([name, value]) => {
    const text = String(value)
    if (/\$\{[A-Za-z0-9.:]+\}|\{\{resolve:/.test(text)) {
      here.in(name).warn(`"${text}" is known to AWS only: pass the value to the import if the function needs it`)
    }
    return [name, text]
  })
  return Object.fromEntries(entries)
}

function readCode(resource: Resource, code: unknown): FunctionCode {
  // Where the CDK keeps what it would upload, beside the template.
  const asset = resource.metadata['aws:asset:path']
  if (typeof asset === 'string') return { kind: 'path', path: asset }
  if (typeof code === 'string') {
    return /^(s3|https):\/\//.test(code) ? { kind: 'remote', location: code } : { kind: 'path', path: code }
  }
  const object = isMembers(code) ? code : {}
  if (typeof object.ZipFile === 'string') return { kind: 'inline', text: object.ZipFile }
  if (typeof object.ImageUri === 'string') return { kind: 'remote', location: object.ImageUri }
  if (object.S3Key !== undefined) {
    return { kind: 'remote', location: `s3://${String(object.S3Bucket)}/${String(object.S3Key)}` }
  }
  resource.place.in('Properties').in('Code').warn('says nowhere where the code of the function is')
  return { kind: 'remote', location: '' }
}
