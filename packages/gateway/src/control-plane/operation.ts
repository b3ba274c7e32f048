/**
 * How an operation is mounted: a route of Fastify that names Amazon's operation, its shapes in and out, and works for the
 * environment whose key signed the request.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Guard } from '@tenantry/kernel/http/egress.ts'
import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import type { Discover } from '../authorizers/discovery.ts'
import type { Gateway } from '../gateway.ts'
import type { PemDirectory } from '../tls/directory.ts'
import type { Caller } from './access-keys/access-keys.ts'
import { badRequest } from './problems.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose key signed the request. */
    signedBy: Caller
  }
}

export interface ControlPlaneDeps {
  readonly database: Database
  readonly clock: Clock
  /** In ARNs, and the only one that signatures may name. */
  readonly region: string
  /** APIs answer at `{apiId}.{hostSuffix}`; nobody else does. */
  readonly hostSuffix: string
  /** Where an API of this id answers, without a stage or a slash at the end. */
  readonly endpointOf: (apiId: string) => string
  /** Reads an issuer's discovery document; an issuer that cannot be read refuses the authorizer. */
  readonly discover: Discover
  /** Says which networks integrations may be in; absent: in all of them. */
  readonly guard?: Guard | undefined
  /** Where certificates and truststores of domains lie; absent: domains cannot name any. */
  readonly pems?: PemDirectory | undefined
  /** Whether entries of access logs that name a log group are kept apart; without it they cannot name one. */
  readonly hasLogGroups?: boolean
  /** Of the gateway in this process; absent: requests cannot be explained here. */
  readonly explain?: Gateway['explain']
}

export const Text = (maxLength: number, minLength = 0) => Type.String({ minLength, maxLength })
export const Maybe = Type.Optional
export const TextMap = Type.Record(Type.String(), Type.String())

/** Ids as Amazon forms them; a label of a host, so lower case. */
export const ApiPath = Exact({ ApiId: Text(64) })

/** Nothing, with status 204. */
export const Empty = Type.Null()

// Amazon's own page size is not documented; it is larger than what most accounts have of anything.
const pageSize = { usual: 100, most: 500 }

/** The query of every list. */
export const PageQuery = Exact({ maxResults: Maybe(Text(10)), nextToken: Maybe(Text(64)) })

export interface Page {
  /** The position behind which the page begins. */
  readonly after: string
  readonly limit: number
}

/** @throws Problem BadRequestException */
export function readPage({ maxResults, nextToken }: { maxResults?: string; nextToken?: string }): Page {
  const limit = maxResults === undefined ? pageSize.usual : Number(maxResults)
  if (!Number.isInteger(limit) || limit < 1 || limit > pageSize.most) {
    throw badRequest(`maxResults must be a number from 1 to ${pageSize.most}`)
  }
  const after = nextToken === undefined ? '0' : Buffer.from(nextToken, 'base64url').toString('latin1')
  if (!/^\d{1,18}$/.test(after)) throw badRequest('nextToken is not one that a list has given')
  return { after, limit }
}

/** @param rows up to one more than the page holds */
export function pageOf<Row extends { readonly position: string }, Item>(
  rows: readonly Row[],
  { limit }: Page,
  itemOf: (row: Row) => Item,
): { items: Item[]; nextToken?: string } {
  const shown = rows.slice(0, limit)
  const items = shown.map(itemOf)
  return rows.length <= limit
    ? { items }
    : { items, nextToken: Buffer.from(shown.at(-1)!.position).toString('base64url') }
}

/** @param shape of one item */
export const ListOf = <T extends Parameters<typeof Type.Array>[0]>(shape: T) =>
  Exact({ items: Type.Array(shape), nextToken: Maybe(Type.String()) })

/** Without what was not said. */
export const said = <T extends object>(members: T): T =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T
