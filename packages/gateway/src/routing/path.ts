/**
 * One path, decided once. Router, authorizer and upstream all use what this file returns: a proxy whose matcher and
 * whose upstream read the same bytes differently can be talked past its authorizer. What two common servers would read
 * differently (dot segments, empty segments, matrix parameters, encoded slashes, double encoding) is refused with 400
 * instead of being repaired, because a repair is one more reading.
 */
export interface CanonicalPath {
  /** As it is sent upstream: unreserved characters decoded, everything else percent-encoded in one way. */
  readonly path: string
  /** Decoded segments, as the router sees them. `/` has one empty segment. */
  readonly segments: readonly string[]
  /** Raw query string without the question mark; empty when there is none. */
  readonly query: string
}

// Printable ASCII without space, backslash and `#`: what RFC 3986 lets stand in a request target, and the few characters
// (`"<>[]^`{|}`) that browsers still send unencoded in a query.
const targetShape = /^\/[\x21\x22\x24-\x5b\x5d-\x7e]*$/
// Needs neither decoding nor a closer look, save for empty and dot segments.
const plainPath = /^[A-Za-z0-9\-._~!$&'()*+,=:@/]*$/
const asciiOnly = /^[\x20-\x7e]*$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being refused
const forbidden = /[\x00-\x1f\x7f/\\;]|%[0-9A-Fa-f]{2}/

/** The one reading of a request target, or `null` when it has more than one. */
export function canonicalPath(target: string): CanonicalPath | null {
  if (!targetShape.test(target)) return null
  const mark = target.indexOf('?')
  const raw = mark === -1 ? target : target.slice(0, mark)
  const query = mark === -1 ? '' : target.slice(mark + 1)
  const segments = raw.slice(1).split('/')

  if (plainPath.test(raw)) {
    return segments.includes('.') || segments.includes('..') ? null : finish(raw, segments, query)
  }
  const decoded: string[] = []
  for (const segment of segments) {
    const text = decode(segment)
    if (text === null || !isOneReading(text)) return null
    decoded.push(text)
  }
  return finish(`/${decoded.map(encodeSegment).join('/')}`, decoded, query)
}

/** Percent-encodes a decoded segment so that it stays one segment, whatever it holds. */
export const encodeSegment = (segment: string): string =>
  plainPath.test(segment) && !segment.includes('/')
    ? segment
    : encodeURIComponent(segment).replace(/%(?:24|26|2B|2C|3A|3D|40)/g, decodeURIComponent)

/**
 * Folds what a case-insensitive or Unicode-normalising upstream takes for the same segment: used to notice that a
 * request spells a protected path differently, never to serve it.
 */
export const foldSegment = (segment: string): string =>
  (asciiOnly.test(segment) ? segment : segment.normalize('NFKC')).toLowerCase().trim()

function finish(path: string, segments: readonly string[], query: string): CanonicalPath | null {
  // An empty segment is `//`, except as the last one (a trailing slash, which is significant).
  for (let i = 0; i < segments.length - 1; i++) if (segments[i] === '') return null
  return { path, segments, query }
}

function decode(segment: string): string | null {
  try {
    // Refuses overlong and truncated UTF-8 such as `%c0%ae`.
    return decodeURIComponent(segment)
  } catch {
    return null
  }
}

const isOneReading = (segment: string): boolean =>
  segment !== '.' &&
  segment !== '..' &&
  !forbidden.test(segment) &&
  (asciiOnly.test(segment) || isOneReadingAscii(segment.normalize('NFKC')))

// Fullwidth solidus, fullwidth full stop and their like become delimiters when an upstream normalises.
const isOneReadingAscii = (segment: string): boolean => segment !== '.' && segment !== '..' && !forbidden.test(segment)
