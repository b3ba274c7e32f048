import type { Deployment } from '../deployment.ts'
import { byHost, hostName } from '../tls/domain.ts'
import { type CanonicalPath, encodeSegment } from './path.ts'

/** What a request's host and path lead to. */
export interface Located {
  readonly deployment: Deployment
  /** The part of the path that led here; empty when the host alone did. */
  readonly basePath: string
  readonly isMapped: boolean
  /** What the routes are matched with. */
  readonly path: CanonicalPath
}

/** The APIs of one host; `null` where none answers the path. */
export type Locate = (path: CanonicalPath) => Located | null

export interface Endpoints {
  /** `null` when nobody claims the host. */
  at(host: string): Locate | null
}

interface Mount {
  readonly deployment: Deployment
  readonly basePath: string
  readonly segments: readonly string[]
  readonly isMapped: boolean
}

/**
 * Hosts before wildcards before the host that everybody else's requests go to; within a host the longest base path. An
 * API that has switched its own endpoint off still holds that host's name, where it answers nothing: were the name
 * free, the endpoint for all other hosts would lead past a custom domain's mutual TLS again.
 *
 * @param ownSuffix names below it are given to APIs by their ids: one that is not claimed leads nowhere
 * @throws Error when two APIs claim the same host and base path
 */
export function compileEndpoints(deployments: readonly Deployment[], ownSuffix?: string): Endpoints {
  const mounts = new Map<string, Mount[]>()
  for (const deployment of deployments) {
    for (const { host, basePath, kind } of deployment.api.endpoints) {
      const name = host?.toLowerCase() ?? ''
      const shelf = mounts.get(name) ?? []
      mounts.set(name, shelf)
      if (kind === 'stage' && deployment.api.disableExecuteApiEndpoint) continue
      const twin = shelf.find((other) => other.basePath === basePath)
      if (twin !== undefined) {
        const where = `${name || 'any host'}/${basePath}`
        throw new Error(`${where} is claimed by two APIs, "${twin.deployment.api.id}" and "${deployment.api.id}"`)
      }
      const segments = basePath === '' ? [] : basePath.split('/')
      shelf.push({ deployment, basePath, segments, isMapped: kind === 'mapping' })
    }
  }
  const hosts = new Map([...mounts].map(([host, shelf]) => [host, compileHost(shelf)]))
  const rest = hosts.get('') ?? null
  if (hosts.size === 1 && rest !== null && ownSuffix === undefined) return { at: () => rest }
  const isOwn = (name: string): boolean => ownSuffix !== undefined && name.endsWith(`.${ownSuffix}`)
  return {
    at: (host) => {
      const name = hostName(host)
      return byHost(hosts, name) ?? (isOwn(name) ? null : rest)
    },
  }
}

function compileHost(shelf: readonly Mount[]): Locate {
  const mounts = shelf.toSorted((a, b) => b.segments.length - a.segments.length)
  return (path) => {
    for (const mount of mounts) {
      const { deployment, segments, basePath, isMapped } = mount
      if (segments.length === 0) return { deployment, basePath, isMapped, path }
      if (segments.every((segment, i) => path.segments[i] === segment)) {
        return { deployment, basePath, isMapped, path: below(path, segments.length) }
      }
    }
    return null
  }
}

function below({ segments, query }: CanonicalPath, depth: number): CanonicalPath {
  const rest = segments.length === depth ? [''] : segments.slice(depth)
  return { path: `/${rest.map(encodeSegment).join('/')}`, segments: rest, query }
}
