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

export const Texts = textsUpTo(25)

/** What is stored of a given map: an empty one is none. */
export const keptTexts = (given: Record<string, string> | null): Record<string, string> | null =>
  given !== null && Object.keys(given).length > 0 ? given : null
