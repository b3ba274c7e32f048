import type { Clock } from '@tenantry/kernel/clock.ts'
import { logProblem, toProblem } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { TenantLog } from '../logs/tenant-log.ts'
import { toOAuthError } from '../oauth/problems.ts'
import { sendErrorPage } from './pages.ts'
import type { ReadWords } from './words.ts'

/** Of what a person can read when nobody but the person can be told. Details stay in the log, found by the reference. */
const EXPLAINED = new Set([
  'login_transaction_expired',
  'cross_site_post',
  'ticket_unusable',
  'unknown_host',
  'temporarily_unavailable',
  'invalid_request',
  'server_error',
])

declare module 'fastify' {
  interface FastifyRequest {
    /** On pages: a template of the environment that fails is its administrator's to know. */
    tenantLog: TenantLog
    /** What the environment's pages say and hold beyond our own. */
    words: ReadWords
  }
}

export function governPages(
  app: Api,
  { clock, tenantLog, words }: { clock: Clock; tenantLog: TenantLog; words: ReadWords },
): void {
  app.decorateRequest('tenantLog', { getter: () => tenantLog })
  app.decorateRequest('words', { getter: () => words })

  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error)
    logProblem(request.log, problem)
    const code = toOAuthError(problem).error
    const explained = EXPLAINED.has(problem.code)
    const { application } = problem.facts
    return sendErrorPage(request, reply, {
      status: problem.status,
      name: explained ? problem.code.replaceAll('_', '-') : 'other',
      message: problem.message,
      code,
      // Whoever builds the application reads here what to mend.
      reason: problem.code === 'invalid_request' ? problem.message : problem.code,
      at: clock.now(),
      ...(typeof application === 'string' ? { application } : {}),
    })
  })
}
