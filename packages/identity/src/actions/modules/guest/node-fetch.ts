/** `fetch` in the shape of node-fetch 2: `timeout` among the options, `buffer()` and `headers.raw()` of answers. */
import { Buffer } from './buffer.ts'
import { AbortSignal, fetch, Headers, Request, Response } from './fetch.ts'
import type { RequestInit } from './pieces/request.ts'

class FetchError extends Error {
  readonly type: string
  constructor(message: string, type: string) {
    super(message)
    this.name = 'FetchError'
    this.type = type
  }
}

async function nodeFetch(input: unknown, init: RequestInit & { timeout?: number } = {}) {
  const { timeout = 0, ...rest } = init
  const late = timeout > 0 ? AbortSignal.timeout(timeout) : undefined
  const signal = late && rest.signal ? AbortSignal.any([late, rest.signal]) : (late ?? rest.signal)
  const response = await fetch(input, { ...rest, ...(signal ? { signal } : {}) }).catch((error: Error) => {
    if (error.name === 'TimeoutError') throw new FetchError('network timeout', 'request-timeout')
    throw error.name === 'TypeError' && error.message.startsWith('fetch failed')
      ? new FetchError(error.message, 'system')
      : error
  })
  const raw = (): Record<string, string[]> => {
    const lists: Record<string, string[]> = Object.create(null)
    for (const [name, value] of response.headers) lists[name] = [...(lists[name] ?? []), value]
    return lists
  }
  Object.assign(response.headers, { raw })
  return Object.assign(response, { buffer: async () => Buffer.from(await response.arrayBuffer()) })
}

export const modules = {
  'node-fetch': Object.assign(nodeFetch, { default: nodeFetch, Headers, Request, Response, FetchError }),
}
