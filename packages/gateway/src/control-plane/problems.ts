import { defineProblems, type Problem } from '@tenantry/kernel/problem.ts'

const reason = (status: number) => ({ status, title: '{reason}' })

/** Named as Amazon's exceptions are, because clients choose their error classes by these names. */
export const problems = defineProblems({
  BadRequestException: reason(400),
  NotFoundException: reason(404),
  ConflictException: reason(409),
  TooManyRequestsException: reason(429),
  NotImplementedException: reason(501),
  UnknownOperationException: reason(404),
  MissingAuthenticationTokenException: { status: 403, title: 'Missing Authentication Token' },
  IncompleteSignatureException: reason(403),
  InvalidSignatureException: reason(403),
  UnrecognizedClientException: { status: 403, title: 'The security token included in the request is invalid.' },
})

const raise =
  (code: keyof typeof problems) =>
  (text: string): Problem =>
    problems[code]({ facts: { reason: text } })

export const badRequest = raise('BadRequestException')
export const conflict = raise('ConflictException')
export const notImplemented = raise('NotImplementedException')
export const tooMany = raise('TooManyRequestsException')

/** @param noun as Amazon's message names it: `Route`, `API mapping` */
export const notFound = (noun: string): Problem =>
  problems.NotFoundException({ facts: { reason: `Invalid ${noun} identifier specified` } })
