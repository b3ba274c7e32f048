/** Files that a template names, beside itself. */
import { type Document, type Members, parseSource, rootOf } from './document.ts'
import { type Place, placeIn, type Report, refused, type Source } from './report.ts'

/** Reads a file by its path relative to the template. */
export type ReadFile = (path: string) => string

export interface FileDeps {
  readonly report: Report
  /** `undefined` where a template has no place in a file system. */
  readonly readFile: ReadFile | undefined
}

/**
 * The object in the file at a path.
 *
 * @returns `null` after a complaint, in the file or at the place that names it
 */
export function rootOfFile(
  path: unknown,
  place: Place,
  { report, readFile }: FileDeps,
): { readonly content: Members; readonly source: Source } | null {
  if (path === undefined) return refused(place, 'names no file')
  // An address in AWS, or a function that computes one.
  if (typeof path !== 'string' || /^(s3|https?):\/\//i.test(path)) {
    return refused(place, 'lies in a bucket: name a file beside the template')
  }
  if (readFile === undefined) return refused(place, 'names a file, and no files are read here')
  try {
    const document = withAdvice(parseSource(readFile(path), path))
    const content = rootOf(document, (at) => placeIn(report, at))
    return content === null ? null : { content, source: document }
  } catch (error) {
    return refused(place, `"${path}" cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const withAdvice = (document: Document): Document => ({
  ...document,
  faults: document.faults.map(({ line, message }) => ({
    line,
    message: /^Unresolved tag: !\w/.test(message) ? `${message}: AWS reads no short forms in such a file` : message,
  })),
})
