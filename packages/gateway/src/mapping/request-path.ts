import { canonicalPath, encodeSegment } from '../routing/path.ts'
import type { Expression, Part } from './expression.ts'
import { compilePart, parameterOf, type Source, type Surroundings } from './values.ts'

/**
 * `overwrite:path`. The request's own path and parameters are put in as they were read once already; every other value
 * becomes part of one segment, and the whole is read like a request's path: what adds a segment, a dot segment or a
 * query, or leaves a segment empty, refuses the request.
 *
 * @returns the path; empty when the request must be refused
 * @throws Error when no request could have such a path
 */
export function compilePath(expression: Expression, surroundings: Surroundings): (source: Source) => string {
  const writers = expression.map((part) => compilePathPart(part, surroundings))
  const sample = join(expression.map((part) => (part.kind === 'text' ? part.text : part.kind === 'path' ? '/x' : 'x')))
  if (canonicalPath(sample) === null || sample.includes('?')) {
    throw new Error(`"overwrite:path": "${sample}" is no path: dots, "?", "#" and empty segments are not allowed`)
  }
  return (source) => {
    const values: string[] = []
    for (const write of writers) {
      const value = write(source)
      if (value === undefined || value === '') return ''
      values.push(value)
    }
    return canonicalPath(join(values))?.path ?? ''
  }
}

function compilePathPart(part: Part, surroundings: Surroundings): (source: Source) => string | undefined {
  if (part.kind === 'text') return () => part.text
  if (part.kind === 'path') return ({ path }) => path?.path
  if (part.kind === 'parameter') {
    const write = parameterOf(part.name, surroundings.segments, encodeSegment)
    return ({ path }) => (path === null ? undefined : write(path))
  }
  const read = compilePart(part, surroundings)
  // The operator's own text, like the expression itself.
  if (part.kind === 'stageVariable') return read
  return (source) => {
    const value = read(source)
    return value === undefined || !value.isWellFormed() ? undefined : encodeSegment(value)
  }
}

// `/internal/${request.path}` means one slash, and AWS's own example of a path has none in front.
function join(values: readonly string[]): string {
  let whole = '/'
  for (const value of values) whole += whole.endsWith('/') && value.startsWith('/') ? value.slice(1) : value
  return whole
}
