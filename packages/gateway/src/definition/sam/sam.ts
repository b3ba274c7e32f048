/**
 * SAM templates, rewritten into the CloudFormation resources that SAM makes of them, and read like any other template.
 * Only what concerns HTTP APIs and their functions is rewritten. What is generated remembers where it comes from, so
 * complaints name the line that somebody wrote.
 */
import { isMembers, type Members, members } from '../document.ts'
import type { Place } from '../report.ts'
import type { Variables } from '../variables.ts'
import { rewriteApi } from './apis.ts'
import { type ApiEvent, checkFunction, nameAlias, propertiesOf, readEvents, rewriteFunction } from './functions.ts'
import { mergeGlobals, readGlobals } from './globals.ts'
import { namedBesides } from './named.ts'
import type { Origins } from './origins.ts'
import { dereferenceIn } from './parameters.ts'

export interface SamDeps {
  /** Parses the file that `DefinitionUri` names, relative to the template; `null` after a complaint. */
  readonly readBody: (path: unknown, place: Place) => Members | null
  /** Values of parameters, before defaults. */
  readonly parameters: Variables
}

export interface Rewritten {
  readonly root: Members
  /** Names by which SAM lets generated resources be referred to, such as `Api.Stage`. */
  readonly aliases: Readonly<Record<string, string>>
  readonly origins: Origins
  /** Ids of resources that nobody wrote and nothing comes of. */
  readonly besides: ReadonlySet<string>
}

export const isSam = (root: Members): boolean => [root.Transform ?? []].flat().includes('AWS::Serverless-2016-10-31')

/** The API that events belong to which name none. */
const implicitApi = 'ServerlessHttpApi'
const httpApi = 'AWS::Serverless::HttpApi'
const functionType = 'AWS::Serverless::Function'
const stateMachine = 'AWS::Serverless::StateMachine'

/** @returns `null` after a complaint */
export function rewriteSam(root: Members, place: Place, deps: SamDeps): Rewritten | null {
  const here = place.in('Resources')
  const declared = members(root.Resources, here)
  if (declared === null) return null
  const dereference = dereferenceIn(root.Parameters, deps.parameters)
  const globals = readGlobals(root.Globals, place.in('Globals'))
  const written = Object.entries(declared).map(([id, resource]) => [id, isMembers(resource) ? resource : {}] as const)
  checkFunction(globals.Function, place.in('Globals').in('Function'))
  for (const [id, resource] of written) {
    if (resource.Type === functionType) checkFunction(propertiesOf(resource), here.in(id).in('Properties'))
    if (resource.Type === stateMachine) refuseEvents(propertiesOf(resource), here.in(id).in('Properties').in('Events'))
  }
  const functions = written
    .filter(([, { Type }]) => Type === functionType)
    .map(([id, resource]) => [id, mergeGlobals(resource, globals.Function)] as const)
    .map(([id, resource]) => [id, nameAlias(resource, here.in(id).in('Properties'), dereference)] as const)
  const events = functions.flatMap(([id, resource]) =>
    readEvents(id, resource, here.in(id).in('Properties').in('Events'), { implicitApi, dereference }),
  )
  const apis = written.filter(([, { Type }]) => Type === httpApi)
  if (events.some(({ apiId }) => apiId === implicitApi) && !Object.hasOwn(declared, implicitApi)) {
    apis.push([implicitApi, { Type: httpApi, Properties: {}, ...conditionOf(events) }])
  }
  for (const { apiId, place: at } of events.filter(({ apiId: id }) => !apis.some(([known]) => known === id))) {
    at.in('ApiId').error(`"${apiId}" is no ${httpApi} of this template`)
  }
  const origins = new Map<string, string>()
  const aliases: Record<string, string> = {}
  const rewritten: Record<string, unknown> = Object.fromEntries(
    written.filter(([, { Type }]) => Type !== httpApi && Type !== functionType),
  )
  for (const [id, resource] of functions) Object.assign(rewritten, rewriteFunction(id, resource, aliases))
  const besides = Object.entries(namedBesides(functions, written, aliases)).filter(
    ([id]) => !Object.hasOwn(declared, id),
  )
  Object.assign(rewritten, Object.fromEntries(besides))
  for (const [id, resource] of apis) {
    const own = events.filter(({ apiId }) => apiId === id)
    const api = mergeGlobals(resource, globals.HttpApi)
    Object.assign(
      rewritten,
      rewriteApi({ id, resource: api, events: own, place: here.in(id) }, { ...deps, origins, aliases, dereference }),
    )
  }
  const { Globals: _globals, ...others } = root
  const Conditions = { ...(isMembers(root.Conditions) ? root.Conditions : {}), ...anyConditionOf(events) }
  return {
    root: { ...others, Conditions, Resources: rewritten },
    aliases,
    origins,
    besides: new Set(besides.map(([id]) => id)),
  }
}

/** Conditions of the implicit API, which is there when any of its functions is; `null`: always. */
function conditionsOf(events: readonly ApiEvent[]): readonly string[] | null {
  const own = events.filter(({ apiId }) => apiId === implicitApi).map(({ condition }) => condition)
  const known = own.filter((condition) => condition !== null)
  return known.length < own.length ? null : [...new Set(known)]
}

const anyCondition = `${implicitApi}Condition`

const conditionOf = (events: readonly ApiEvent[]): Members =>
  conditionsOf(events) === null ? {} : { Condition: anyCondition }

function anyConditionOf(events: readonly ApiEvent[]): Members {
  const conditions = conditionsOf(events) ?? []
  if (conditions.length === 0) return {}
  return { [anyCondition]: { 'Fn::Or': conditions.map((Condition) => ({ Condition })) } }
}

function refuseEvents({ Events: events }: Members, place: Place): void {
  for (const [name, event] of Object.entries(isMembers(events) ? events : {})) {
    if (!isMembers(event) || event.Type !== 'HttpApi') continue
    place.in(name).error('calls to services of AWS are not supported: let a function start the state machine')
  }
}
