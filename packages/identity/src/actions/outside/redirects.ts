/** Where a call goes on (Fetch standard, "HTTP-redirect fetch"). */
import type { AskedCall } from './wire.ts'

type Hop = Pick<AskedCall, 'url' | 'method' | 'headers' | 'body'>

const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** What proves something to one origin is not for another. */
const PROOFS = ['authorization', 'cookie']
const OF_A_BODY = ['content-encoding', 'content-language', 'content-location', 'content-type']

const without = (headers: Hop['headers'], names: readonly string[]): Hop['headers'] =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)))

/** @returns undefined when the answer leads nowhere, and why it must not be followed */
export function nextHop(hop: Hop, status: number, location: string | undefined): Hop | string | undefined {
  if (!REDIRECTS.has(status) || location === undefined) return undefined
  if (!URL.canParse(location, hop.url)) return 'it redirects to what is no address'
  const from = new URL(hop.url)
  const to = new URL(location, hop.url)
  if (to.hash === '') to.hash = from.hash
  if (from.protocol === 'https:' && to.protocol === 'http:') return 'it redirects from https to http'
  if (to.username || to.password) return 'it redirects to an address that holds a user name or password'
  const next: Hop = { ...hop, url: to.href }
  const losesBody =
    status === 303 ? hop.method !== 'GET' && hop.method !== 'HEAD' : status < 303 && hop.method === 'POST'
  if (losesBody) {
    next.method = 'GET'
    next.body = undefined
    next.headers = without(next.headers, OF_A_BODY)
  }
  if (to.origin !== from.origin) next.headers = without(next.headers, PROOFS)
  return next
}
