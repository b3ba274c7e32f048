/**
 * Checkpoints in lists that are sorted by something other than their key: the value of the last row and its key, in one
 * text. Whoever alters one only chooses another place to go on from in the same list, and every part is checked.
 */
import { problems } from './paging.ts'

export interface KeysetPlace {
  /** As text, also for times: what JavaScript's dates would cut off would make rows appear twice. */
  value: string
  id: string
}

/** @param sort belongs into the text, so that a checkpoint is not used in another order than it was made in */
export const keysetText = (sort: string, { value, id }: KeysetPlace): string => JSON.stringify([sort, value, id])

/** @throws Problem `invalid_paging` for what `keysetText` did not make for this order */
export function keysetPlace(
  after: string | undefined,
  sort: string,
  isValue = (_: string) => true,
): KeysetPlace | undefined {
  if (after === undefined) return undefined
  const refuse = () =>
    problems.invalid_paging({ facts: { reason: 'The checkpoint in `from` belongs to another list or order.' } })
  let parts: unknown
  try {
    parts = JSON.parse(after)
  } catch (cause) {
    throw problems.invalid_paging({
      facts: { reason: 'The checkpoint in `from` is not one that was given out.' },
      cause,
    })
  }
  if (!Array.isArray(parts) || parts.length !== 3 || !parts.every((part) => typeof part === 'string')) throw refuse()
  const [made, value, id] = parts as [string, string, string]
  if (made !== sort || !isValue(value) || value.includes('\0') || !value.isWellFormed() || id.includes('\0'))
    throw refuse()
  return { value, id }
}

/** A timestamp as PostgreSQL writes it; anything else would fail in the database. */
export const isTimestamp = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/.test(text) && !Number.isNaN(Date.parse(text.replace('+00', 'Z')))
