/** What an example says of itself, compared with what is so. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'

export interface Says {
  /** Stands in an expected value for what is left out of it: `[says.more]: true` in objects, an element in arrays. */
  readonly more: typeof more
  gives(claim: number, actual: unknown, expected: () => unknown): void
  throws(claim: number, work: () => Promise<unknown>, error: string, code: string): Promise<void>
}

const more: unique symbol = Symbol('…')
const shown = (value: unknown): string => inspect(value, { depth: 6, breakLength: 120 })

/** @returns also which claims were reached: one in a function that nobody calls would say anything */
export function listen(): { says: Says; reached: ReadonlySet<number> } {
  const reached = new Set<number>()
  const says: Says = {
    more,
    gives(claim, actual, expected) {
      reached.add(claim)
      const value = expected()
      assert.ok(fits(actual, value), `It gives ${shown(actual)}, and says that it gives ${shown(value)}.`)
    },
    async throws(claim, work, name, code) {
      reached.add(claim)
      const error = await work().then(
        () => assert.fail(`It throws nothing, and says that it throws ${name}.`),
        (thrown: { name?: unknown; code?: unknown }) => thrown,
      )
      assert.ok(
        error?.name === name && (code === '' || error.code === code),
        `It throws ${shown(error)}, and says that it throws ${name} ${code}`,
      )
    },
  }
  return { says, reached }
}

/** By content alone: rows of drivers are arrays and objects of classes of their own. */
function fits(actual: unknown, expected: unknown): boolean {
  if (typeof expected === 'string' && expected.includes('…'))
    return typeof actual === 'string' && abridges(expected, actual)
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return false
    const rest = expected.indexOf(more)
    const wanted = rest === -1 ? expected : expected.slice(0, rest)
    return (rest !== -1 || actual.length === wanted.length) && wanted.every((each, at) => fits(actual[at], each))
  }
  if (typeof expected === 'object' && expected !== null) {
    if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return false
    const keys = Object.keys(expected)
    return (
      (more in expected || Object.keys(actual).length === keys.length) &&
      keys.every((key) => fits(actual[key as never], expected[key as never]))
    )
  }
  return Object.is(actual, expected)
}

const abridges = (short: string, text: string): boolean => {
  const parts = short.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('[^]*')}$`).test(text)
}
