export interface EventBody {
  /** `null`: the request has none. */
  readonly text: string | null
  readonly isBase64Encoded: boolean
}

// Measured on AWS: these and nothing else travel as text, not even forms or `+json` types.
const textTypes: ReadonlySet<string> = new Set(['application/json', 'application/xml', 'application/javascript'])

/** @param fields of the request's head, `name, value …` in lower case */
export function eventBody(body: Buffer | null, fields: readonly string[]): EventBody {
  if (body === null || body.length === 0) return { text: null, isBase64Encoded: false }
  const isText = isTextType(field(fields, 'content-type')) && isPlain(field(fields, 'content-encoding'))
  return { text: body.toString(isText ? 'utf8' : 'base64'), isBase64Encoded: !isText }
}

const isTextType = (contentType: string): boolean => {
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
  return type.startsWith('text/') || textTypes.has(type)
}

// Compressed bytes read as UTF-8 would be lost, whatever type they have once unpacked. Not observed on AWS.
const isPlain = (encoding: string): boolean => encoding === '' || encoding.trim().toLowerCase() === 'identity'

function field(fields: readonly string[], name: string): string {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]!
  return ''
}
