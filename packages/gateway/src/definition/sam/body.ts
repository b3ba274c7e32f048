/** The OpenAPI document of an API: as written, and with what SAM adds to it. */
import { isMembers, type Members, members } from '../document.ts'
import { type Place, pointerStep, refused } from '../report.ts'
import { eachAlternative } from './alternatives.ts'
import type { RewriteDeps, SamApi } from './apis.ts'
import { type Auth, corsOf, integration, readAuth, securityOf, withDefaultAuthorizer } from './auth.ts'
import { type ApiEvent, defaultPath } from './functions.ts'
import { isIntrinsic } from './globals.ts'

/** @returns `null` after a complaint */
export function bodyOf(api: SamApi, object: Members, place: Place, deps: RewriteDeps): Members | null {
  const { DefinitionBody: written, DefinitionUri: uri } = object
  if (uri !== undefined) {
    if (written !== undefined) return refused(place, 'has a DefinitionBody and a DefinitionUri: remove one of them')
    return fileOf(api, object, place, deps)
  }
  const pointer = `${api.place.at}/Properties/Body`
  if (written !== undefined) deps.origins.set(pointer, place.in('DefinitionBody').at)
  const body = members(written ?? skeleton, place.in('DefinitionBody'))
  if (body === null || isIntrinsic(body)) {
    return body === null ? null : refused(place.in('DefinitionBody'), 'must be the document itself')
  }
  refuseTwoNames(body, object, place)
  return extend(body, api, object, place, deps)
}

const skeleton: Members = { openapi: '3.0.1', info: { title: { Ref: 'AWS::StackName' }, version: '1.0' }, paths: {} }

/** The document that `DefinitionUri` names. SAM uploads it as it is, and refuses or forgets what it would add. */
function fileOf({ events }: SamApi, object: Members, place: Place, { readBody }: RewriteDeps): Members | null {
  const included = 'take the file in by AWS::Include in DefinitionBody'
  const additions = ['Auth', 'CorsConfiguration', 'Description', 'DisableExecuteApiEndpoint', 'Name', 'Tags']
  for (const name of additions.filter((addition) => object[addition] !== undefined)) {
    place.in(name).error(`cannot be added to a file that DefinitionUri names: ${included}`)
  }
  const body = readBody(object.DefinitionUri, place.in('DefinitionUri'))
  const paths = body !== null && isMembers(body.paths) ? body.paths : {}
  for (const { path, method, auth, place: at } of events) {
    const item = paths[keyOf(path, paths)]
    const isThere = isMembers(item) && method in item
    if (!isThere) at.warn(`makes no route, because SAM adds none to a file that DefinitionUri names: ${included}`)
    else if (Object.keys(auth).length > 0) at.in('Auth').error(`is not applied by SAM to such a file: ${included}`)
  }
  return body
}

function refuseTwoNames(body: Members, { Name, Description }: Members, place: Place): void {
  const info = isMembers(body.info) ? body.info : {}
  if (Description !== undefined && info.description !== undefined) {
    place.in('Description').error('the document has a description, too: remove one of them')
  }
  if (Name !== undefined && body !== skeleton && info.title !== undefined) {
    place.in('Name').error('the document has a title, too: remove one of them')
  }
}

/** Adds authorizers, CORS and the routes of events to a document. */
function extend(body: Members, api: SamApi, object: Members, place: Place, deps: RewriteDeps): Members {
  const pointer = `${api.place.at}/Properties/Body`
  const auth = readAuth(object.Auth, place.in('Auth'), deps.dereference)
  const components = isMembers(body.components) ? body.components : {}
  const schemes = isMembers(components.securitySchemes) ? components.securitySchemes : {}
  for (const name of Object.keys(auth.schemes)) {
    const at = place.in('Auth').in('Authorizers').in(name).at
    deps.origins.set(`${pointer}/components/securitySchemes/${pointerStep(name)}`, at)
  }
  const cors = corsOf(object.CorsConfiguration, place.in('CorsConfiguration'))
  const corsName = 'x-amazon-apigateway-cors'
  if (cors !== null) deps.origins.set(`${pointer}/${corsName}`, place.in('CorsConfiguration').at)
  const own = isMembers(body[corsName]) ? body[corsName] : {}
  const paths = addEvents(body, api, auth, pointer, deps)
  return {
    ...body,
    components: { ...components, securitySchemes: { ...schemes, ...auth.schemes } },
    // Events say who calls them before the default says it of the rest.
    paths: withDefaultAuthorizer(paths, auth),
    // What a condition decides replaces, because it cannot be merged.
    ...(cors === null ? {} : { [corsName]: isIntrinsic(cors) ? cors : { ...own, ...cors } }),
  }
}

function addEvents(body: Members, { events }: SamApi, auth: Auth, pointer: string, { origins }: RewriteDeps): Members {
  const paths = isMembers(body.paths) ? body.paths : {}
  const isGuarded = body.security !== undefined
  const all = new Map(Object.entries(paths))
  const added = new Set<string>()
  for (const event of events) {
    const { path, method, place } = event
    const key = `${method} ${path}`
    if (added.has(key)) {
      place.error(`the route "${key}" is asked for by another event, too`)
      continue
    }
    added.add(key)
    const security = securityOf(event.auth, auth, method, place.in('Auth'))
    // Without it nobody knows who may call, which is complained about: no route is made.
    if (security === null) continue
    const name = keyOf(path, paths)
    const changed = eachAlternative(all.get(name) ?? {}, (item) => {
      if (!isMembers(item)) return item
      const existing = item[method] ?? {}
      if (!leadsSomewhere(existing)) origins.set(`${pointer}/paths/${pointerStep(name)}/${method}`, place.at)
      return { ...item, [method]: eachAlternative(existing, (one) => withEvent(one, event, security, isGuarded)) }
    })
    all.set(name, changed)
  }
  return Object.fromEntries(all)
}

/** Documents write the path of the default route in two ways. */
const keyOf = (path: string, paths: Members): string =>
  path === defaultPath && '$default' in paths ? '$default' : path

function leadsSomewhere(operation: unknown): boolean {
  if (isMembers(operation) && Array.isArray(operation['Fn::If'])) return operation['Fn::If'].some(leadsSomewhere)
  return isMembers(operation) && integration in operation
}

/**
 * An operation as an event wants it. What the document says of it stays: where it leads, and who may call it, to which
 * the event adds.
 */
function withEvent(operation: unknown, event: ApiEvent, security: readonly unknown[], isGuarded: boolean): unknown {
  if (!isMembers(operation)) return operation
  const { timeout, payloadFormatVersion, condition, auth, target: uri } = event
  const settings = {
    ...(timeout === undefined ? {} : { timeoutInMillis: timeout }),
    ...(payloadFormatVersion === undefined ? {} : { payloadFormatVersion }),
  }
  const own = Array.isArray(operation.security) ? operation.security : []
  const isAsked = Object.keys(auth).length > 0
  if (isMembers(operation[integration])) {
    const asked = isAsked ? { security: [...own, ...security] } : {}
    return { ...operation, [integration]: { ...operation[integration], ...settings }, ...asked }
  }
  const said = isAsked || own.length === 0 ? [...own, ...security] : own
  const made = {
    ...operation,
    ...(event.path === defaultPath ? { isDefaultRoute: true } : {}),
    // Nothing said leaves the route to what the whole document demands.
    ...(said.length === 0 && isGuarded ? {} : { security: said }),
    [integration]: { type: 'aws_proxy', httpMethod: 'POST', payloadFormatVersion: '2.0', uri, ...settings },
  }
  return condition === null ? made : { 'Fn::If': [condition, made, { Ref: 'AWS::NoValue' }] }
}
