/** `fetch` as people know it. What it asks for goes to the server as text, which calls out if it may, and answers. */

import { DOMException, fromBase64 } from './encoding.ts'
import { AbortController, AbortSignal } from './pieces/abort.ts'
import { Body, type Content } from './pieces/body.ts'
import { Headers } from './pieces/headers.ts'
import type { Host } from './pieces/host.ts'
import { Request, type RequestInit } from './pieces/request.ts'
import { Response } from './pieces/response.ts'

declare const host: Host

/** What the server answers: see `outside/wire.ts`. */
type Answer =
  | { error: string }
  | { status: number; statusText: string; headers: [string, string][]; url: string; redirected: boolean; body: Content }

function responseOf(answer: Exclude<Answer, { error: string }>): Response {
  const { status, statusText, headers, url, redirected, body } = answer
  const content = body === null ? null : 'text' in body ? body.text : fromBase64(body.base64)
  const response = new Response(content, { status, statusText, headers })
  // A body of text is not what says of which type it is.
  if (!headers.some(([name]) => name === 'content-type')) response.headers.delete('content-type')
  response.url = url
  response.redirected = redirected
  return response
}

export async function fetch(input: unknown, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init)
  const { url, method, redirect, signal } = request
  signal.throwIfAborted()
  const content = Body.contentOf(request)
  // Before it is written out several times over. Characters are at least as many bytes.
  if (content !== null && content.length > host.largest()) throw new TypeError('fetch failed: the request is too large')
  const body = Body.wire(content)
  const { answer: asked, drop } = host.call(
    JSON.stringify({ url, method, headers: [...request.headers], redirect, body }),
  )
  const aborted = new Promise<never>((_, reject) => {
    const end = () => {
      drop()
      reject(signal.reason)
    }
    signal.addEventListener('abort', end, { once: true })
  })
  const answer = JSON.parse(await Promise.race([asked, aborted])) as Answer
  if ('error' in answer) throw new TypeError(`fetch failed: ${answer.error}`)
  return responseOf(answer)
}

export { AbortController, AbortSignal, Headers, Request, Response }
export const globals = { fetch, Headers, Request, Response, AbortController, AbortSignal, DOMException }
