import { isMembers, type Members, members, onlyMembers } from '../document.ts'
import { type Place, say } from '../report.ts'
import type { Variables } from '../variables.ts'
import { evaluate, evaluateCondition, noValue, type Scope } from './intrinsics.ts'
import { readParameters } from './parameters.ts'
import { attributeOf, referenceTo } from './references.ts'

export interface Resource {
  readonly logicalId: string
  readonly type: string
  /** As written, with intrinsics. */
  readonly properties: Members
  readonly metadata: Members
  /** Of the resource; its properties are at `place.in('Properties')`. */
  readonly place: Place
}

export interface TemplateValues {
  /** Of `Parameters`; they go before defaults. */
  readonly parameters: Variables
  /** Of `Fn::ImportValue`. */
  readonly imports: Variables
  /**
   * Pseudo parameters (`AWS::Region`), and what resources give that are not created here: `UserPool` for its reference,
   * `UserPool.Arn` for an attribute.
   */
  readonly variables: Variables
  /** Ids of APIs by logical id; by default the logical id in lower case. */
  readonly apiIds: Variables
  /** What follows an API's id in its own host name. */
  readonly hostSuffix: string
}

/** A template whose conditions are decided and whose values can be asked for. */
export interface Template {
  readonly resources: readonly Resource[]
  ofType(...types: readonly string[]): readonly Resource[]
  /** What `Ref` gives of a resource: the id by which others name it. */
  idOf(resource: Resource): string
  /**
   * The properties of a resource, with intrinsics computed. Those in `ignored` are left unread and reported; any other
   * is an error.
   */
  read(resource: Resource, known: readonly string[], ignored?: readonly string[]): Members
  /** One property, with intrinsics computed. */
  property(resource: Resource, name: string): unknown
  evaluate(value: unknown, place: Place): unknown
  readonly accountId: string
  readonly region: string
}

const sections = [
  ...['AWSTemplateFormatVersion', 'Description', 'Metadata', 'Parameters', 'Rules', 'Mappings', 'Conditions'],
  ...['Transform', 'Globals', 'Resources', 'Outputs', 'Hooks'],
]

// What the first adds is written with functions that are complained about one by one; the second has been applied.
const isHarmless = (macro: unknown): boolean =>
  macro === 'AWS::LanguageExtensions' || macro === 'AWS::Serverless-2016-10-31'

/**
 * @param aliases other names of resources, such as those that SAM gives to what it generates
 * @returns `null` after a complaint
 */
export function createTemplate(
  root: Members,
  place: Place,
  values: TemplateValues,
  aliases: Readonly<Record<string, string>> = {},
): Template | null {
  onlyMembers(root, sections, place)
  for (const macro of [root.Transform ?? []].flat()) {
    if (!isHarmless(macro))
      place.in('Transform').error(`the macro ${say(macro)} runs in AWS only: import what it makes`)
  }
  const declared = members(root.Resources, place.in('Resources'))
  if (declared === null) return null
  const conditions = isMembers(root.Conditions) ? root.Conditions : {}
  const known = new Map<string, Resource>()
  const parameters = readParameters(root.Parameters, values.parameters, place.in('Parameters'))
  const pseudo: Readonly<Record<string, unknown>> = { ...pseudoParameters(values.variables) }
  const under = guarded()

  const scope: Scope = {
    mappings: isMembers(root.Mappings) ? root.Mappings : {},
    imports: values.imports,
    refer: (written, at) => {
      const name = aliases[written] ?? written
      if (Object.hasOwn(pseudo, name)) return pseudo[name]
      if (parameters.has(name)) return parameters.get(name)!(at)
      const resource = known.get(name)
      if (resource === undefined) return undefined
      return values.variables[name] ?? under(name, at, () => referenceTo(resource, template, values)) ?? `\${${name}}`
    },
    attribute: (name, attribute, at) => {
      if (Object.hasOwn(aliases, `${name}.${attribute}`)) return scope.refer(`${name}.${attribute}`, at)
      const resource = known.get(name)
      if (resource === undefined) return undefined
      const full = `${name}.${attribute}`
      const given = values.variables[full]
      return given ?? under(full, at, () => attributeOf(resource, attribute, template, values)) ?? `\${${full}}`
    },
    condition: (name, at) => {
      const here = place.in('Conditions').in(name)
      if (Object.hasOwn(conditions, name)) {
        return under(`?${name}`, at, () => evaluateCondition(conditions[name], scope, here)) ?? false
      }
      at.error(`the condition "${name}" is not defined`)
      return false
    },
  }

  const template: Template = {
    resources: [],
    ofType: (...types) => [...known.values()].filter(({ type }) => types.includes(type)),
    idOf: (resource) => String(scope.refer(resource.logicalId, resource.place)),
    evaluate: (value, at) => evaluate(value, scope, at),
    property: ({ properties, place: at }, name) => evaluate(properties[name], scope, at.in('Properties').in(name)),
    read: (resource, names, ignored = []) => {
      const { properties, place: at } = resource
      onlyMembers(properties, [...names, ...ignored], at.in('Properties'))
      for (const name of ignored.filter((item) => item in properties)) {
        at.in('Properties').in(name).info('has no effect here')
      }
      const entries = names.map((name) => [name, template.property(resource, name)] as const)
      return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
    },
    accountId: String(pseudo['AWS::AccountId']),
    region: String(pseudo['AWS::Region']),
  }
  for (const [logicalId, value] of Object.entries(declared)) {
    const at = place.in('Resources').in(logicalId)
    const resource = readResource(logicalId, value, at)
    if (resource !== null) known.set(logicalId, resource)
  }
  for (const [logicalId, { place: at }] of known) {
    const condition = (declared[logicalId] as Members).Condition
    if (typeof condition === 'string' && !scope.condition(condition, at.in('Condition'))) known.delete(logicalId)
  }
  return { ...template, resources: [...known.values()] }
}

function readResource(logicalId: string, value: unknown, place: Place): Resource | null {
  const object = members(value, place)
  if (object === null) return null
  if (typeof object.Type !== 'string') {
    place.error('has no Type')
    return null
  }
  const properties = object.Properties === undefined ? {} : members(object.Properties, place.in('Properties'))
  if (properties === null) return null
  return {
    logicalId,
    type: object.Type,
    properties,
    metadata: isMembers(object.Metadata) ? object.Metadata : {},
    place,
  }
}

function pseudoParameters(given: Variables): Readonly<Record<string, unknown>> {
  const fallback = {
    'AWS::AccountId': '000000000000',
    'AWS::Region': 'us-east-1',
    'AWS::Partition': 'aws',
    'AWS::URLSuffix': 'amazonaws.com',
    'AWS::StackName': 'stack',
    'AWS::StackId': 'arn:aws:cloudformation:local:000000000000:stack/stack/0',
    'AWS::NotificationARNs': [],
  }
  const names = Object.keys(fallback) as (keyof typeof fallback)[]
  return {
    ...Object.fromEntries(names.map((name) => [name, given[name] ?? fallback[name]])),
    'AWS::NoValue': noValue,
  }
}

/** Computes by name, and complains of what needs itself instead of computing for ever. */
function guarded(): <T>(name: string, place: Place, compute: () => T) => T | undefined {
  const open = new Set<string>()
  return (name, place, compute) => {
    if (open.has(name)) {
      place.error(`"${name.replace('?', '')}" is defined by itself`)
      return undefined
    }
    open.add(name)
    try {
      return compute()
    } finally {
      open.delete(name)
    }
  }
}
