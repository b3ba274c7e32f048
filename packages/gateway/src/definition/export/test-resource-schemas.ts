/** Fixture of the exports' tests: checks a template against the resource schemas that AWS publishes. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { isMembers, type Members } from '../document.ts'

type Type =
  | { readonly type: 'string' | 'boolean' | 'integer' | 'number' | 'json' | 'tag' }
  | { readonly type: 'array' | 'map'; readonly element: Type }
  | { readonly type: 'ref'; readonly reference: { readonly $ref: string } }
  | { readonly type: 'union'; readonly types: readonly Type[] }

type Properties = Readonly<Record<string, { readonly type: Type; readonly required?: boolean }>>

interface ResourceSchema {
  readonly properties: Properties
  readonly types: Readonly<Record<string, { readonly properties: Properties }>>
}

const file = path.join(import.meta.dirname, '..', 'testdata', 'resource-schemas.json')
const { resources } = JSON.parse(readFileSync(file, 'utf8')) as { resources: Record<string, ResourceSchema> }

/** What is unknown, of another type, or missing. */
export function resourceFaults(template: unknown): readonly string[] {
  const declared = isMembers(template) && isMembers(template.Resources) ? template.Resources : {}
  return Object.entries(declared).flatMap(([id, resource]) => {
    const { Type, Properties } = resource as { Type: string; Properties: Members }
    const schema = resources[Type]
    return schema === undefined
      ? [`${id}: no schema of ${Type}`]
      : objectFaults(Properties, schema.properties, schema, id)
  })
}

function objectFaults(object: Members, properties: Properties, schema: ResourceSchema, at: string): string[] {
  const missing = Object.entries(properties).filter(([name, { required }]) => required === true && !(name in object))
  const faults = Object.entries(object).flatMap(([name, value]) => {
    const property = properties[name]
    return property === undefined
      ? [`${at}.${name} is unknown`]
      : valueFaults(value, property.type, schema, `${at}.${name}`)
  })
  return [...missing.map(([name]) => `${at}.${name} is missing`), ...faults]
}

function valueFaults(value: unknown, type: Type, schema: ResourceSchema, at: string): string[] {
  const [key, ...others] = isMembers(value) ? Object.keys(value) : []
  if (others.length === 0 && (key === 'Ref' || key?.startsWith('Fn::'))) return []
  const fault = [`${at} is not ${type.type}: ${JSON.stringify(value)}`]
  switch (type.type) {
    case 'string':
    case 'boolean':
      return typeof value === type.type ? [] : fault
    case 'integer':
      return Number.isInteger(value) ? [] : fault
    case 'number':
      return typeof value === 'number' ? [] : fault
    case 'array':
      return Array.isArray(value)
        ? value.flatMap((item, i) => valueFaults(item, type.element, schema, `${at}.${i}`))
        : fault
    case 'map':
      return isMembers(value)
        ? Object.entries(value).flatMap(([name, item]) => valueFaults(item, type.element, schema, `${at}.${name}`))
        : fault
    case 'ref':
      return isMembers(value) ? objectFaults(value, schema.types[type.reference.$ref]!.properties, schema, at) : fault
    case 'union':
      return type.types.some((one) => valueFaults(value, one, schema, at).length === 0) ? [] : fault
    default:
      return isMembers(value) ? [] : fault
  }
}
