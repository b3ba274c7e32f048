import { flag, isMembers, members, onlyMembers } from './document.ts'
import type { Place } from './report.ts'

export type BasePathMode = 'ignore' | 'prepend' | 'split'

const endpointExtension = 'x-amazon-apigateway-endpoint-configuration'

export interface Servers {
  /** What stands before every path of the document: empty, or `/a/b`. */
  readonly prefix: string
  readonly disableExecuteApiEndpoint: boolean
}

/**
 * Reads what of `servers` concerns an HTTP API: the base path, and whether the API has an endpoint of its own. Where it
 * answers is decided by the gateway.
 */
export function readServers(value: unknown, mode: BasePathMode, place: Place): Servers {
  if (value === undefined) return { prefix: '', disableExecuteApiEndpoint: false }
  if (!Array.isArray(value)) {
    place.error('must be a list')
    return { prefix: '', disableExecuteApiEndpoint: false }
  }
  place.info('where the API answers is decided by the gateway, not by its servers')
  const flags = value.map((server: unknown, index) => readServer(server, place.in(index)))
  const [first] = value as readonly unknown[]
  return {
    prefix: mode === 'ignore' ? '' : prefixOf(first, mode, place.in(0)),
    disableExecuteApiEndpoint: flags.includes(true),
  }
}

function readServer(value: unknown, place: Place): boolean {
  const server = members(value, place)
  if (server === null || server[endpointExtension] === undefined) return false
  const here = place.in(endpointExtension)
  const endpoint = members(server[endpointExtension], here)
  if (endpoint === null) return false
  const { disableExecuteApiEndpoint, ...others } = endpoint
  onlyMembers(others, ['ipAddressType'], here)
  if ('ipAddressType' in others) here.in('ipAddressType').info('the gateway listens where it was told to listen')
  return flag(disableExecuteApiEndpoint, here.in('disableExecuteApiEndpoint'))
}

/** The base path is the path of the first server's URL, or its variable `basePath`. */
function prefixOf(server: unknown, mode: BasePathMode, place: Place): string {
  if (!isMembers(server) || typeof server.url !== 'string') return ''
  const variables = isMembers(server.variables) ? server.variables : {}
  const url = server.url.replace(/\{([^{}]+)\}/g, (whole, name: string) => {
    const variable = variables[name]
    return isMembers(variable) && typeof variable.default === 'string' ? variable.default : whole
  })
  const path = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '')
  const segments = path.split('/').filter((segment) => segment !== '')
  if (segments.some((segment) => segment.includes('{'))) {
    place.in('url').error('the base path holds a variable without a default')
    return ''
  }
  // Split: the first segment is where the API is mapped, the rest belongs to its paths.
  return (mode === 'split' ? segments.slice(1) : segments).map((segment) => `/${segment}`).join('')
}
