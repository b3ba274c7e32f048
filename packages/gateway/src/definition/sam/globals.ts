import { isMembers, type Members, members, onlyMembers } from '../document.ts'
import type { Place } from '../report.ts'

const httpApiGlobals = [
  ...['Auth', 'AccessLogSettings', 'StageVariables', 'Tags', 'RouteSettings', 'FailOnWarnings', 'Domain'],
  ...['CorsConfiguration', 'DefaultRouteSettings', 'PropagateTags'],
]

export interface Globals {
  readonly Function: Members
  readonly HttpApi: Members
}

/** Reads `Globals`; those of other kinds of resources concern nobody here. */
export function readGlobals(value: unknown, place: Place): Globals {
  const all = value === undefined ? {} : (members(value, place) ?? {})
  const section = (name: string): Members => (all[name] === undefined ? {} : (members(all[name], place.in(name)) ?? {}))
  const globals = { Function: section('Function'), HttpApi: section('HttpApi') }
  onlyMembers(globals.HttpApi, httpApiGlobals, place.in('HttpApi'))
  return globals
}

/** A resource with what the globals add: objects are merged, lists joined, anything else is the resource's own. */
export const mergeGlobals = (resource: Members, globals: Members): Members => ({
  ...resource,
  Properties: merge(globals, isMembers(resource.Properties) ? resource.Properties : {}),
})

function merge(base: Members, own: Members): Members {
  const names = new Set([...Object.keys(base), ...Object.keys(own)])
  return Object.fromEntries(
    [...names].map((name) => {
      const [left, right] = [base[name], own[name]]
      if (right === undefined) return [name, left]
      if (isMembers(left) && isMembers(right) && !isIntrinsic(left) && !isIntrinsic(right)) {
        return [name, merge(left, right)]
      }
      return [name, Array.isArray(left) && Array.isArray(right) ? [...left, ...right] : right]
    }),
  )
}

export function isIntrinsic(value: unknown): boolean {
  const [name, ...others] = isMembers(value) ? Object.keys(value) : []
  return name !== undefined && others.length === 0 && (name === 'Ref' || name.startsWith('Fn::'))
}
