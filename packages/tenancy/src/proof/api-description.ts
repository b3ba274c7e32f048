/** What an OpenAPI 3 document says about an API, as plain data: routes, their parameters, and the shapes of bodies. */
import { ProofRefused } from './refused.ts'

export type ShapeType = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null' | 'any'

export interface Shape {
  type: ShapeType
  properties: Readonly<Record<string, Shape>>
  required: readonly string[]
  items?: Shape
  format?: string
  pattern?: string
  values?: readonly unknown[]
  example?: unknown
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  minItems?: number
  readOnly: boolean
}

export interface Parameter {
  name: string
  in: 'path' | 'query' | 'header' | 'cookie'
  required: boolean
  shape: Shape
}

export interface RouteBody {
  contentType: string
  required: boolean
  shape: Shape
}

export interface Route {
  /** As people name it: `GET /projects/{id}`. */
  key: string
  method: string
  path: string
  parameters: readonly Parameter[]
  body?: RouteBody
  /** The document says that it needs no credentials. */
  open: boolean
}

export interface ApiDescription {
  title: string
  /** The first server's URL, as it stands. */
  server?: string
  routes: readonly Route[]
  /** Texts that stand in the document itself (values of enums, examples, defaults): they are nobody's secret. */
  constants: ReadonlySet<string>
}

type Json = Record<string, unknown>
const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const
const DEPTH = 6

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const objectsIn = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : [])

/** @throws ProofRefused for what is not an OpenAPI 3 document with at least one route */
export function describeApi(document: unknown): ApiDescription {
  if (!isObject(document) || typeof document.openapi !== 'string' || !document.openapi.startsWith('3.')) {
    throw new ProofRefused('document_refused', 'The document is not OpenAPI 3: it has no `openapi: 3.…` at its top.')
  }
  const paths = isObject(document.paths) ? document.paths : {}
  const routes = Object.entries(paths).flatMap(([path, item]) => routesOf(document, path, resolve(document, item)))
  if (routes.length === 0) {
    throw new ProofRefused('document_refused', 'The document has no route: `paths` is empty or missing.')
  }
  const [server] = objectsIn(document.servers)
  const title = isObject(document.info) ? String(document.info.title ?? '') : ''
  const constants = new Set<string>()
  collectConstants(document, constants)
  return { title, routes, constants, ...(typeof server?.url === 'string' ? { server: server.url } : {}) }
}

function routesOf(document: Json, path: string, item: unknown): Route[] {
  if (!isObject(item)) return []
  return METHODS.flatMap((method) => {
    const operation = resolve(document, item[method])
    if (!isObject(operation)) return []
    const declared = new Map<string, Parameter>()
    for (const raw of [...objectsIn(item.parameters), ...objectsIn(operation.parameters)]) {
      const parameter = parameterOf(document, resolve(document, raw))
      if (parameter) declared.set(`${parameter.in} ${parameter.name}`, parameter)
    }
    // A template names its parameters even where a document forgets to declare them.
    const inPath = [...path.matchAll(/\{([^{}]+)\}/g)].map(
      ([, name]) =>
        declared.get(`path ${name}`) ?? { name: name!, in: 'path' as const, required: true, shape: anyShape('string') },
    )
    const others = [...declared.values()].filter((parameter) => parameter.in !== 'path')
    const security = operation.security ?? document.security
    const open =
      !Array.isArray(security) ||
      security.length === 0 ||
      security.some((one) => isObject(one) && Object.keys(one).length === 0)
    const body = bodyOf(document, resolve(document, operation.requestBody))
    const upper = method.toUpperCase()
    return [
      {
        key: `${upper} ${path}`,
        method: upper,
        path,
        parameters: [...inPath, ...others],
        open: open && Array.isArray(security),
        ...(body ? { body } : {}),
      },
    ]
  })
}

function parameterOf(document: Json, raw: unknown): Parameter | undefined {
  if (!isObject(raw) || typeof raw.name !== 'string') return undefined
  const place = raw.in
  if (place !== 'path' && place !== 'query' && place !== 'header' && place !== 'cookie') return undefined
  const [content] = isObject(raw.content) ? Object.values(raw.content) : []
  const shape = shapeOf(document, raw.schema ?? (isObject(content) ? content.schema : undefined))
  const example = raw.example ?? firstExample(document, raw.examples) ?? shape.example
  const complete = example === undefined ? shape : { ...shape, example }
  return { name: raw.name, in: place, required: place === 'path' || raw.required === true, shape: complete }
}

const PREFERRED = [/^application\/json/, /\+json/, /^multipart\/form-data/, /^application\/x-www-form-urlencoded/, /./]

function bodyOf(document: Json, raw: unknown): RouteBody | undefined {
  if (!isObject(raw) || !isObject(raw.content)) return undefined
  const offered = Object.keys(raw.content)
  const contentType = PREFERRED.map((form) => offered.find((name) => form.test(name))).find((name) => name)
  if (contentType === undefined) return undefined
  const media = raw.content[contentType]
  if (!isObject(media)) return undefined
  const shape = shapeOf(document, media.schema)
  const example = media.example ?? firstExample(document, media.examples) ?? shape.example
  return {
    contentType: contentType.includes('*') ? 'application/octet-stream' : contentType,
    required: raw.required === true,
    shape: example === undefined ? shape : { ...shape, example },
  }
}

function firstExample(document: Json, examples: unknown): unknown {
  if (!isObject(examples)) return undefined
  const first = resolve(document, Object.values(examples)[0])
  return isObject(first) ? first.value : undefined
}

const anyShape = (type: ShapeType = 'any'): Shape => ({ type, properties: {}, required: [], readOnly: false })

/** A schema without references, alternatives reduced to the first. What goes deeper than six levels is left open. */
function shapeOf(document: Json, raw: unknown, depth = 0): Shape {
  const schema = resolve(document, raw)
  if (!isObject(schema) || depth > DEPTH) return anyShape()
  const [first] = [...objectsIn(schema.oneOf), ...objectsIn(schema.anyOf)]
  const parts = [...objectsIn(schema.allOf), ...(first ? [first] : [])].map((part) => shapeOf(document, part, depth))
  const own = ownShape(document, schema, depth)
  return parts.reduce(merge, own)
}

function ownShape(document: Json, schema: Json, depth: number): Shape {
  const named = Array.isArray(schema.type) ? schema.type.find((type) => type !== 'null') : schema.type
  const properties = isObject(schema.properties)
    ? Object.fromEntries(
        Object.entries(schema.properties).map(([name, raw]) => [name, shapeOf(document, raw, depth + 1)]),
      )
    : {}
  const type = (named ?? (schema.properties ? 'object' : schema.items ? 'array' : 'any')) as ShapeType
  const values = Array.isArray(schema.enum) ? schema.enum : 'const' in schema ? [schema.const] : undefined
  const example = schema.example ?? (Array.isArray(schema.examples) ? schema.examples[0] : undefined) ?? schema.default
  const numbers = ['minLength', 'maxLength', 'minimum', 'maximum', 'minItems'].filter(
    (name) => typeof schema[name] === 'number',
  )
  return {
    type,
    properties,
    required: Array.isArray(schema.required) ? schema.required.filter((name) => typeof name === 'string') : [],
    readOnly: schema.readOnly === true,
    ...(schema.items ? { items: shapeOf(document, schema.items, depth + 1) } : {}),
    ...(typeof schema.format === 'string' ? { format: schema.format } : {}),
    ...(typeof schema.pattern === 'string' ? { pattern: schema.pattern } : {}),
    ...(values ? { values } : {}),
    ...(example === undefined ? {} : { example }),
    ...Object.fromEntries(numbers.map((name) => [name, schema[name]])),
    ...(typeof schema.exclusiveMinimum === 'number' ? { minimum: schema.exclusiveMinimum + 1 } : {}),
    ...(typeof schema.exclusiveMaximum === 'number' ? { maximum: schema.exclusiveMaximum - 1 } : {}),
  }
}

function merge(one: Shape, other: Shape): Shape {
  return {
    ...other,
    ...one,
    type: one.type === 'any' ? other.type : one.type,
    properties: { ...other.properties, ...one.properties },
    required: [...new Set([...one.required, ...other.required])],
    readOnly: one.readOnly || other.readOnly,
  }
}

/** Follows references within the document. One that leads outside or nowhere is nothing. */
function resolve(document: Json, value: unknown, hops = 0): unknown {
  if (!isObject(value) || typeof value.$ref !== 'string' || hops > 20) return value
  if (!value.$ref.startsWith('#/')) return undefined
  const steps = value.$ref
    .slice(2)
    .split('/')
    .map((step) => decodeURIComponent(step).replace(/~1/g, '/').replace(/~0/g, '~'))
  let found: unknown = document
  for (const step of steps) found = isObject(found) && Object.hasOwn(found, step) ? found[step] : undefined
  return resolve(document, found, hops + 1)
}

function collectConstants(value: unknown, into: Set<string>): void {
  if (typeof value === 'string') into.add(value)
  else if (Array.isArray(value)) for (const one of value) collectConstants(one, into)
  else if (isObject(value)) {
    for (const [name, one] of Object.entries(value)) {
      into.add(name)
      collectConstants(one, into)
    }
  }
}
