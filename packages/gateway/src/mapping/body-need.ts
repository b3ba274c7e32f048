import { limits } from '../api.ts'
import type { Rule } from './rules.ts'

export interface BodyNeed {
  /** Bytes to hold back; 0: none. */
  readonly bytes: number
  /** The whole body is mapped into one value. */
  readonly text: boolean
  /** A JSONPath is applied to it. */
  readonly json: boolean
}

/** What AWS lets a JSONPath see of a body. */
const jsonBytes = 100 * 1024

export function bodyNeed(rules: readonly Rule[]): BodyNeed {
  const parts = rules.flatMap(({ value }) => value).filter((part) => part.kind === 'body')
  const json = parts.some(({ path }) => path !== null)
  const text = parts.some(({ path }) => path === null)
  // A value that is longer than a head may be is never sent: no more of the body has to be held for it.
  return { json, text, bytes: json ? jsonBytes : text ? limits.headBytes : 0 }
}
