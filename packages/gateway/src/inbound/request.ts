import type { Socket } from 'node:net'
import type { RequestBody } from './request-body.ts'

/** A request as its connection has read it. */
export interface Request {
  readonly method: string
  readonly url: string
  readonly httpVersion: string
  /** `name, value …` as they were written. */
  readonly rawHeaders: readonly string[]
  /** `null` when none was announced. */
  readonly body: RequestBody | null
  readonly socket: Socket
}
