import type { Members } from '../document.ts'
import { isIntrinsic } from './globals.ts'

/** A value with a change made to it, or to each alternative of one that a condition decides. */
export function eachAlternative(value: unknown, change: (one: unknown) => unknown): unknown {
  if (!isIntrinsic(value)) return change(value)
  const written = (value as Members)['Fn::If']
  // Any other function gives what nobody knows yet, or nothing.
  if (!Array.isArray(written)) return value
  const [condition, ...alternatives] = written as readonly unknown[]
  return { 'Fn::If': [condition, ...alternatives.map((one) => eachAlternative(one, change))] }
}
