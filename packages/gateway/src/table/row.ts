/** Fixture: the words of the table, which stand in `testdata/`, a file per area. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import type { Endpoint, Stage } from '../api.ts'
import type { FunctionFault } from '../functions/functions.ts'
import type { Evidence } from '../payload/fixture.ts'

export type Headers = Readonly<Record<string, string | readonly string[] | null>>

export interface Area {
  readonly about: string
  /** AWS's pages about it, by the name in their address. */
  readonly pages: readonly string[]
  readonly serve: readonly Served[]
  /** What every answer of the gateway holds; `null` in a row takes one away. */
  readonly always: Headers
  /** What every request to the upstream holds. */
  readonly forwarded: Headers
  readonly answers: Readonly<Record<string, Answered>>
  readonly events?: Readonly<Record<string, object>>
  readonly rows: readonly Row[]
}

export interface Served {
  readonly id?: string
  readonly stage?: Partial<Stage>
  readonly endpoints?: readonly Endpoint[]
  readonly disableExecuteApiEndpoint?: boolean
  readonly accountId?: string
  readonly region?: string
  readonly document: object
}

export interface Row {
  readonly id: string
  readonly about: string
  readonly evidence: Evidence
  /** The text it reaches, as `answers.noApi` or `refusals.expired`. */
  readonly text?: string
  readonly send: Sent
  /** What the upstream does instead of answering `ok`. */
  readonly upstream?:
    | { readonly status?: number; readonly headers?: Headers; readonly body?: string }
    | 'silent'
    | 'broken'
  /** Which of the issuer's two documents cannot be had. */
  readonly issuer?: 'discovery' | 'jwks'
  readonly returns?: Played
  readonly decides?: Played
  /** How long the gateway waits for a head, instead of its ten seconds. */
  readonly headersTimeoutMs?: number
  /** Waits until the issuer has told which organizations are suspended. */
  readonly suspensions?: 'known'
  readonly answer: string | (Partial<Answered> & { readonly like?: string })
  /** The request that the upstream must have seen; without: none may have been. */
  readonly forwarded?: string | { readonly line: string; readonly headers: Headers; readonly body?: string }
  /** What the integration's function, and the authorizer's, must have been given. */
  readonly event?: object
  readonly asked?: object
}

export interface Played {
  readonly result?: unknown
  readonly fault?: FunctionFault
}

export interface Sent {
  /** The bytes themselves. */
  readonly raw?: string | Buffer
  readonly tls?: string
  readonly method?: string
  readonly host?: string
  readonly path?: string
  readonly headers?: readonly string[]
  readonly body?: string
  readonly token?: {
    readonly claims?: Readonly<Record<string, unknown>>
    readonly header?: Readonly<Record<string, unknown>>
    readonly signature?: 'other'
  }
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

export const readArea = (name: string): Area =>
  parse(readFileSync(path.join(import.meta.dirname, 'testdata', `${name}.yaml`), 'utf8'), { merge: true })
