/**
 * What a definition says that is ignored (info), doubtful (warning) or refused (error). AWS drops what it does not
 * understand with a warning, and with it an authorizer; here anything that could decide who gets in is an error.
 */
export interface Finding {
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  /** JSON pointer into the document. */
  readonly at: string
  readonly message: string
}

export interface Report {
  readonly info: Finding[]
  readonly warnings: Finding[]
  readonly errors: Finding[]
}

/** Where the text of a document stands, so that complaints name a line. */
export interface Source {
  readonly file: string
  /** The place of what a pointer names, or of the nearest thing around it. */
  locate(at: string): { readonly file: string; readonly at: string; readonly line: number }
}

export const createReport = (): Report => ({ info: [], warnings: [], errors: [] })

/** A place in the document, and the way to complain about it. */
export interface Place {
  readonly at: string
  in(name: string | number): Place
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

export function placeIn(report: Report, source: Source, at = '#'): Place {
  const add = (findings: Finding[]) => (message: string) => {
    const finding = { ...source.locate(at), message }
    const isKnown = findings.some((other) => other.at === finding.at && other.message === message)
    // An API is read once for each of its stages; what is wrong with it is said once.
    if (!isKnown) findings.push(finding)
  }
  return {
    at,
    in: (name) => placeIn(report, source, `${at}/${pointerStep(name)}`),
    info: add(report.info),
    warn: add(report.warnings),
    error: add(report.errors),
  }
}

/** The same place, where doubts are errors. */
export const strictly = (place: Place): Place => ({
  ...place,
  in: (name) => strictly(place.in(name)),
  warn: place.error,
})

export const pointerStep = (name: string | number): string => String(name).replaceAll('~', '~0').replaceAll('/', '~1')

export const pointerSteps = (at: string): readonly string[] =>
  at
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))

/**
 * A finding as one line.
 *
 * @example
 * 'api.yaml:14: components.securitySchemes.tenants.type: the scheme type must be …'
 */
export function sayFinding({ file, line, at, message }: Finding): string {
  const name = pointerSteps(at).join('.')
  return `${file}:${line}: ${name === '' ? '' : `${name}: `}${message}`
}

/** Complains and yields the `null` that keeps the caller from going on with what was refused. */
export function refused(place: Place, message: string): null {
  place.error(message)
  return null
}

export const say = (value: unknown): string => JSON.stringify(value) ?? 'absent'
