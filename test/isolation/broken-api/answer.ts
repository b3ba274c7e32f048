import type { IncomingMessage } from 'node:http'

export interface Answer {
  status: number
  body?: unknown
  headers?: Record<string, string>
}

export interface Ask {
  /** The tenant of the token; undefined where a leak has let in somebody without one. */
  tenant: string
  params: Record<string, string>
  query: URLSearchParams
  body: Record<string, unknown>
  request: IncomingMessage
}

export type Handler = (ask: Ask) => Promise<Answer>

export const missing: Answer = { status: 404, body: { code: 'not_found', message: 'There is no such thing.' } }
export const refused = (status: number, code: string): Answer => ({ status, body: { code } })
export const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
export const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
