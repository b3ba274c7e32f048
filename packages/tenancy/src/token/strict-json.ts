const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Parses a JSON object out of bytes, refusing what two parsers may read differently: invalid UTF-8, duplicate members
 * (RFC 7519 §4 lets a parser take the last one, RFC 8725 §2.4 warns of exactly that), anything but an object.
 */
export function parseStrictObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const text = decoder.decode(bytes)
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    return hasDuplicateMember(text) ? null : (value as Record<string, unknown>)
  } catch {
    return null
  }
}

/**
 * Whether an object in it, however deep, names a member twice: parsers differ in which of the two they take.
 *
 * @param text valid JSON
 * @example
 * hasDuplicateMember('{"tenant":"a","tenant":"b"}') // true
 */
export function hasDuplicateMember(text: string): boolean {
  // One entry per open container: the names seen in an object, `null` for an array.
  const open: (Set<string> | null)[] = []
  let atName = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (character === '{') {
      open.push(new Set())
      atName = true
    } else if (character === '[') {
      open.push(null)
      atName = false
    } else if (character === '}' || character === ']') open.pop()
    else if (character === ',') atName = open.at(-1) instanceof Set
    else if (character === ':') atName = false
    else if (character === '"') {
      const end = endOfString(text, i)
      if (atName) {
        const names = open.at(-1)!
        const name: unknown = JSON.parse(text.slice(i, end + 1))
        if (typeof name !== 'string' || names.has(name)) return true
        names.add(name)
      }
      i = end
    }
  }
  return false
}

function endOfString(text: string, start: number): number {
  let i = start + 1
  while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1
  return i
}
