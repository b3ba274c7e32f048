/**
 * The one client for calls to addresses that customers configure. Whoever may set such an address could otherwise make
 * the server speak to what only it can reach: metadata services, databases, other tenants' back ends (CWE-918).
 *
 *   the host is resolved once, every address it has is checked, and exactly a checked one is connected to, so a name
 *   that changes its mind between check and use leads nowhere (CVE-2024-29415, DNS rebinding)
 *   redirects are answers like any other, and never followed
 *   time and size are bounded
 */
import { lookup as resolve } from 'node:dns/promises'
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { defineProblems } from '../problem.ts'

export const problems = defineProblems({
  egress_refused: { status: 400, title: 'The address cannot be called: {reason}.' },
  egress_failed: { status: 502, title: 'The address could not be reached: {reason}.' },
})

/** Networks that are not the public internet (IANA special-purpose registries). */
const SPECIAL = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '::1/128',
  // Forms that carry an IPv4 address inside: whatever it is, there is no honest reason to configure one.
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
]

/** @throws Error for a text that is no network */
export function networks(list: readonly string[]): BlockList {
  const blocks = new BlockList()
  for (const text of list) {
    const [address = '', prefix] = text.split('/')
    const family = isIP(address)
    if (family === 0) throw new Error(`${text} is no address or network`)
    blocks.addSubnet(
      address,
      prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix),
      family === 6 ? 'ipv6' : 'ipv4',
    )
  }
  return blocks
}

export const contains = (blocks: BlockList, address: string): boolean =>
  blocks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')

const special = networks(SPECIAL)

export interface OutboundRequest {
  method: string
  headers: Record<string, string>
  body?: Buffer | undefined
  /** For everything together. */
  timeoutMs: number
  /** How much of an answer is read; 64 KiB by default. */
  maxAnswerBytes?: number
  /** Breaks it off. */
  signal?: AbortSignal
}

export interface OutboundAnswer {
  status: number
  headers: IncomingMessage['headers']
  /** At most `maxAnswerBytes` of it. */
  body: Buffer
}

export interface Egress {
  /** @throws Problem `egress_refused` for an address that may not be called, `egress_failed` when it does not answer */
  request(url: string, request: OutboundRequest): Promise<OutboundAnswer>
  /**
   * For protocols other than HTTP: the one address to connect to, and whether it was allowed although it is not public.
   *
   * @throws Problem `egress_refused`, `egress_failed`
   */
  resolve(host: string): Promise<{ address: string; isPublic: boolean }>
}

const LARGEST_ANSWER = 64 * 1024

// Each piece is an object, however short: a MiB byte by byte took 600 MB and two seconds of everybody's time. Servers that
// mean no harm send thousands of bytes in one, or single events over a long while.
const MOST_PIECES = 10_000

// Shorter than servers keep what is idle: one that closes it while a request is on its way has perhaps served it.
const idle = { keepAlive: true, timeout: 10_000 }

export interface EgressOptions {
  /** Networks that may be called although they are not public. */
  allow?: readonly string[]
  /** Uses connections again, for hosts that are called all the time. They lead to the address that was checked. */
  keepAlive?: boolean
}

export interface Guard {
  /**
   * The one address of a host to connect to, every one of them checked.
   *
   * @throws Problem `egress_refused`, `egress_failed`
   */
  address(host: string): Promise<string>
  /**
   * For `net.connect` and `tls.connect`, which ask it for names and never for literal addresses: those are for
   * `refusal`.
   */
  readonly lookup: LookupFunction
  /** Why a host cannot be called, as far as that is known without asking anybody; `null`: it may be. */
  refusal(host: string): string | null
}

// What machines in clouds ask who they are. Nobody who allows a network means these.
const metadata = networks(['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::254', 'fd20:ce::254', '100.100.100.200'])

/** @param allow networks that may be called although they are not public; services of metadata never are */
export function createGuard(allow: readonly string[] = []): Guard {
  const allowed = networks(allow)
  const refuse = (reason: string) => problems.egress_refused({ facts: { reason } })
  const isOutside = (address: string): boolean =>
    contains(metadata, address) || (contains(special, address) && !contains(allowed, address))
  const outside = 'it leads into a network that is not public'

  const address = async (host: string): Promise<string> => {
    const bare = host.replace(/^\[|\]$/g, '')
    const addresses = isIP(bare)
      ? [bare]
      : (
          await resolve(bare, { all: true, verbatim: true }).catch((cause: unknown) => {
            throw problems.egress_failed({ facts: { reason: 'its host has no address' }, cause })
          })
        ).map(({ address }) => address)
    if (addresses.some(isOutside)) throw refuse(outside)
    return addresses[0]!
  }

  return {
    address,
    lookup: (host, { all }, done) => {
      address(host).then(
        (found) => {
          const family = isIP(found)
          if (all) (done as (error: null, all: object[]) => void)(null, [{ address: found, family }])
          else done(null, found, family)
        },
        (error: NodeJS.ErrnoException) => done(error, '', 0),
      )
    },
    refusal: (host) => {
      const bare = host.replace(/^\[|\]$/g, '')
      // Every resolver answers these with loopback (RFC 6761 §6.3).
      const known = /(^|\.)localhost\.?$/i.test(bare) ? '127.0.0.1' : bare
      return isIP(known) !== 0 && isOutside(known) ? outside : null
    },
  }
}

export function createEgress({ allow = [], keepAlive = false }: EgressOptions = {}): Egress {
  const guard = createGuard(allow)
  const agents: Record<string, HttpAgent> | null = keepAlive
    ? { 'http:': new HttpAgent(idle), 'https:': new HttpsAgent(idle) }
    : null
  const refuse = (reason: string) => problems.egress_refused({ facts: { reason } })

  return {
    async resolve(host) {
      const address = await guard.address(host)
      return { address, isPublic: !contains(special, address) }
    },
    async request(text, { method, headers, body, timeoutMs, maxAnswerBytes = LARGEST_ANSWER, signal }) {
      if (!URL.canParse(text)) throw refuse('it is no address')
      const url = new URL(text)
      if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('it must start with https:// or http://')
      if (url.username || url.password) throw refuse('it holds a user name or password')
      const address = await guard.address(url.hostname)
      const send = url.protocol === 'https:' ? requestHttps : requestHttp
      return new Promise((answered, failed) => {
        const fail = (cause: Error) =>
          failed(problems.egress_failed({ facts: { reason: reasonOf(cause, timeoutMs) }, cause }))
        const outgoing = send(
          url,
          {
            method,
            headers: { ...headers, ...(body ? { 'content-length': String(body.length) } : {}) },
            agent: agents?.[url.protocol] ?? false,
            signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]),
            lookup: (_host, { all }, done) => {
              const family = isIP(address)
              if (all) (done as (error: null, all: object[]) => void)(null, [{ address, family }])
              else done(null, address, family)
            },
          },
          (incoming) => {
            const chunks: Buffer[] = []
            let size = 0
            const finish = () =>
              answered({ status: incoming.statusCode!, headers: incoming.headers, body: Buffer.concat(chunks) })
            incoming.on('data', (chunk: Buffer) => {
              chunks.push(chunk.subarray(0, maxAnswerBytes - size))
              size += chunk.length
              if (chunks.length > MOST_PIECES) return void outgoing.destroy(new Error('it answers in too many pieces'))
              if (size < maxAnswerBytes) return
              finish()
              outgoing.destroy()
            })
            incoming.on('end', finish)
            // Once an answer has begun, its end is told here alone.
            incoming.on('error', fail)
          },
        )
        outgoing.on('error', fail)
        outgoing.end(body)
      })
    },
  }
}

const reasonOf = (error: Error & { code?: string }, timeoutMs: number): string =>
  error.name === 'AbortError' || error.name === 'TimeoutError'
    ? `no answer within ${timeoutMs / 1000} s`
    : (error.code ?? error.message)
