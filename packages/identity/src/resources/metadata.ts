/** Small maps of texts that customers keep beside a session or a token. */
import Type from 'typebox'

/** `propertyNames`, because a record's key type puts no bounds on names. */
export const Texts = Type.Unsafe<Record<string, string>>({
  type: 'object',
  propertyNames: { minLength: 1, maxLength: 255 },
  additionalProperties: { type: 'string', maxLength: 255 },
  maxProperties: 25,
})

/** What is stored of a given map: an empty one is none. */
export const keptTexts = (given: Record<string, string> | null): Record<string, string> | null =>
  given !== null && Object.keys(given).length > 0 ? given : null
