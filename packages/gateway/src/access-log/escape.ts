/**
 * How a value is written into a line of the access log. Names of callers, paths and header values are the clients' to
 * choose; whatever they hold, a line stays one line with the fields its format gave it, and a terminal that shows it
 * does what it always does.
 */
export type Escape = (value: string) => string

// Nearly all values are plain; what is structure in some format, breaks a line, drives a terminal or turns the direction
// of writing takes the slow way.
const plain = /^[\w\-.:/+@~%*$!?#^ ]*$/
const unstructured = /^[\w\-.:/]*$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being escaped
const control = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]/gu
// A token in a path or in an authorizer's context would open doors to whoever reads the log.
const token = /eyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g

const unicode = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
export const withoutToken = (value: string): string => (value.includes('eyJ') ? value.replace(token, '[token]') : value)

/** Inside a string of JSON. */
export const inJsonString: Escape = (value) => {
  const text = withoutToken(value)
  return plain.test(text) ? text : JSON.stringify(text).slice(1, -1).replace(control, unicode)
}

const jsonNumber = /^-?(?:0|[1-9]\d{0,15})(?:\.\d{1,15})?$/

/** Where JSON wants a value: a number stays one, everything else becomes a string. */
export const asJsonValue: Escape = (value) => (jsonNumber.test(value) ? value : `"${inJsonString(value)}"`)

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** In text or an attribute of XML, which has no way to write a control character. */
export const inXml: Escape = (value) => {
  const text = withoutToken(value)
  return plain.test(text) ? text : text.replace(/[&<>"']/g, (mark) => entities[mark]!).replace(control, unicode)
}

/**
 * In columns, such as the common log format and CSV: what separates them is written as `\x20`.
 * @param separators the characters that have a meaning where the value stands
 */
export function inColumns(separators: string): Escape {
  const special = new Set(`\\${separators}`)
  return (value) => {
    const text = withoutToken(value)
    if (unstructured.test(text)) return text
    let written = ''
    for (const character of text) {
      if (character === '\\') written += '\\\\'
      else if (special.has(character)) written += `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
      else written += character
    }
    return written.replace(control, unicode)
  }
}
