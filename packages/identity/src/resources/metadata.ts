/** Small maps of texts that customers keep beside an organization, a client, a session. */
import Type from 'typebox'

/** `propertyNames`, because a record's key type puts no bounds on names. */
const map = <Value>(value: object, maxProperties: number) =>
  Type.Unsafe<Record<string, Value>>({
    type: 'object',
    propertyNames: { minLength: 1, maxLength: 255 },
    additionalProperties: value,
    maxProperties,
  })

const TEXT = { type: 'string', maxLength: 255 }

export const textsUpTo = (maxProperties: number) => map<string>(TEXT, maxProperties)

/** What changes such a map: null takes a text away. */
export const textChangesUpTo = (maxProperties: number) =>
  map<string | null>({ anyOf: [TEXT, { type: 'null' }] }, maxProperties)

export const MOST_TEXTS = 25

export const Texts = textsUpTo(MOST_TEXTS)

/**
 * What becomes of stored texts: those to set, with null those to take away, after all are gone if `evicts` says so.
 *
 * @returns undefined when there would be more than the API takes
 */
export function changedTexts(
  present: Record<string, string> | null,
  { evicts, set }: { evicts: boolean; set: Record<string, string | null> },
): { texts: Record<string, string> | null } | undefined {
  const next = Object.entries({ ...(evicts ? {} : present), ...set }).filter(
    (entry): entry is [string, string] => entry[1] !== null,
  )
  return next.length > MOST_TEXTS ? undefined : { texts: keptTexts(Object.fromEntries(next)) }
}

/** What is stored of a given map: an empty one is none. */
export const keptTexts = (given: Record<string, string> | null): Record<string, string> | null =>
  given !== null && Object.keys(given).length > 0 ? given : null
