/**
 * What a definition says that is ignored (info), doubtful (warning) or refused (error). AWS drops what it does not
 * understand with a warning, and with it an authorizer; here anything that could decide who gets in is an error.
 */
export interface Finding {
  /** JSON pointer into the document. */
  readonly at: string
  readonly message: string
}

export interface Report {
  readonly info: Finding[]
  readonly warnings: Finding[]
  readonly errors: Finding[]
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

export const placeIn = (report: Report, at = '#'): Place => ({
  at,
  in: (name) => placeIn(report, `${at}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`),
  info: (message) => void report.info.push({ at, message }),
  warn: (message) => void report.warnings.push({ at, message }),
  error: (message) => void report.errors.push({ at, message }),
})
