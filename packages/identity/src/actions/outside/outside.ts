/**
 * Calls to the outside, made by the server for Actions: a runner process has no network of its own. Addresses are those
 * that customers write, so every hop goes through the one guarded client; the guest's text and the answers are hostile.
 */
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate } from 'node:zlib'
import type { Egress } from '@tenantry/kernel/http/egress.ts'
import { loopHeader } from './loop.ts'
import { nextHop } from './redirects.ts'
import { type AskedCall, readCall, writeAnswer } from './wire.ts'

export interface OutsideLimits {
  /** In one run of one action. */
  calls: number
  /** Of them at once; the others wait. */
  callsAtOnce: number
  /** Request and answer of one call together. */
  callBytes: number
  redirects: number
}

/** The calls of one run. */
export interface RunCalls {
  /** Request and answer are JSON of the guest. Never rejects. @param number of the call in its run, for `drop` */
  answer(number: number, request: string): Promise<string>
  /** Nobody waits for this call any more: it is broken off. */
  drop(number: number): void
  /** The run is over: what is under way is broken off. */
  end(): void
}

const REMEDY =
  'Private networks are called only where TENANTRY_ACTIONS_EGRESS_ALLOW of this server names them, and services of metadata never'

class Refused extends Error {}

export interface RunFacts {
  /** Of one call, at least what the run has left: it is the end of the run that counts. */
  timeoutMs: number
  /** How many Actions called one another until this run came of it. */
  depth: number
}

/** The calls of one run, each through `egress` and within `limits`. */
export function createRunCalls(egress: Egress, limits: OutsideLimits, { timeoutMs, depth }: RunFacts): RunCalls {
  const ended = new AbortController()
  const queue: (() => void)[] = []
  const open = new Map<number, AbortController>()
  let calls = 0
  let running = 0

  const turn = async (): Promise<void> => {
    if (running >= limits.callsAtOnce) await new Promise<void>((resolve) => queue.push(resolve))
    else running++
  }
  // A place is handed on without being freed.
  const leave = (): void => {
    const next = queue.shift()
    if (next) next()
    else running--
  }

  const follow = async ({ redirect, ...first }: AskedCall, signal: AbortSignal): Promise<string> => {
    const size = first.body?.length ?? 0
    const most = limits.callBytes - size
    if (most < 0) throw new Refused(`the request is larger than the ${kilobytes(limits.callBytes)} of a call`)
    let hop = first
    for (let redirects = 0; ; redirects++) {
      if (signal.aborted) throw new Refused('it was broken off')
      const { status, headers, body } = await egress.request(hop.url, {
        method: hop.method,
        headers: {
          ...{ accept: '*/*', 'user-agent': 'tenantry-actions' },
          ...hop.headers,
          ...{ 'accept-encoding': 'identity', 'cdn-loop': loopHeader(depth) },
        },
        body: hop.body,
        timeoutMs,
        // One more, to tell what is too large from what just fits.
        maxAnswerBytes: most + 1,
        signal,
      })
      const next = redirect === 'manual' ? undefined : nextHop(hop, status, headers.location)
      if (next === undefined) {
        if (status < 200 || status > 599) throw new Refused(`the answer has the status ${status}`)
        if (body.length > most) throw tooLarge(limits)
        const read = await decoded(body, headers['content-encoding'], most, limits)
        return writeAnswer({ status, headers, url: withoutHash(hop.url), redirected: redirects > 0, body: read })
      }
      if (redirect === 'error') throw new Refused('it redirects, and the call allows no redirect')
      if (typeof next === 'string') throw new Refused(next)
      if (redirects === limits.redirects) throw new Refused(`it redirects more than ${limits.redirects} times`)
      hop = next
    }
  }

  return {
    async answer(number, request) {
      // The runner counts as well; this is for one that is not ours any more.
      if (++calls > limits.calls) return failed(`an Action may call out ${limits.calls} times in a run`)
      const asked = readCall(request)
      if (typeof asked === 'string') return failed(asked)
      const own = new AbortController()
      open.set(number, own)
      await turn()
      try {
        return await follow(asked, AbortSignal.any([ended.signal, own.signal]))
      } catch (error) {
        return failed(reasonOf(error as Error & { code?: string; facts?: { reason?: unknown } }))
      } finally {
        open.delete(number)
        leave()
      }
    },
    drop: (number) => open.get(number)?.abort(),
    end: () => ended.abort(),
  }
}

const withoutHash = (url: string): string => url.replace(/#.*$/, '')
const failed = (error: string): string => JSON.stringify({ error })
const kilobytes = (bytes: number): string => `${Math.floor(bytes / 1024)} KB`

const tooLarge = (limits: OutsideLimits) =>
  new Refused(`request and answer are together larger than the ${kilobytes(limits.callBytes)} of a call`)

const DECODERS: Record<string, typeof gunzip | typeof inflate | typeof brotliDecompress> = {
  gzip: gunzip,
  'x-gzip': gunzip,
  deflate: inflate,
  br: brotliDecompress,
}

/** Some servers compress although they were asked not to; a small answer must not become a large one. */
async function decoded(
  body: Buffer,
  encoding: string | undefined,
  most: number,
  limits: OutsideLimits,
): Promise<Buffer> {
  const decode = DECODERS[encoding?.trim().toLowerCase() ?? '']
  if (!decode || body.length === 0) return body
  try {
    return (await promisify(decode as typeof gunzip)(body, { maxOutputLength: Math.max(most, 1) })) as Buffer
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limits)
    throw new Refused(`the answer is not ${encoding}`)
  }
}

/** Nothing of the request may be in it: it holds secrets. */
function reasonOf(error: Error & { code?: string; facts?: { reason?: unknown } }): string {
  if (error instanceof Refused) return error.message
  const reason = String(error.facts?.reason ?? 'the server could not send it')
  if (error.code !== 'egress_refused') return reason
  return `the address cannot be called: ${reason}. ${REMEDY}`
}
