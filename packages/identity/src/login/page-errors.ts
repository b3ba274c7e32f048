import type { Clock } from '@tenantry/kernel/clock.ts'
import { logProblem, toProblem } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { TenantLog } from '../logs/tenant-log.ts'
import { toOAuthError } from '../oauth/problems.ts'
import { sendErrorPage } from './pages.ts'

/** What a person reads when nobody but the person can be told. Details stay in the log, found by the reference. */
const TEXTS: Record<string, { title: string; text: string }> = {
  login_transaction_expired: {
    title: 'This sign-in has expired',
    text: 'The page was open for too long, or it was opened in another browser. Nothing is lost: go back to the application and sign in again.',
  },
  cross_site_post: {
    title: 'This form can’t be used any more',
    text: 'It was not sent from our page, so we stopped. Go back to the application and sign in again.',
  },
  ticket_unusable: {
    title: 'This link can’t be used any more',
    text: 'It may have been used already, or it has run out. If it has done its work, nothing is left to do. If not, ask whoever sent it for a new one.',
  },
  unknown_host: {
    title: 'Nothing answers at this address',
    text: 'Check the address. If you followed a link, tell the sender that it is wrong.',
  },
  temporarily_unavailable: {
    title: 'We can’t be reached right now',
    text: 'Nothing is lost. Wait a moment and load this page again.',
  },
  invalid_request: {
    title: 'We can’t continue',
    text: 'The application sent you here with something we can’t accept, so we stopped. Go back to it and try again. If it happens again, send the details below to its support.',
  },
  server_error: {
    title: 'Something failed on our side',
    text: 'Try again in a minute. If it happens again, send the details below to the application’s support.',
  },
}

declare module 'fastify' {
  interface FastifyRequest {
    /** On pages: a template of the environment that fails is its administrator's to know. */
    tenantLog: TenantLog
  }
}

export function governPages(app: Api, { clock, tenantLog }: { clock: Clock; tenantLog: TenantLog }): void {
  app.decorateRequest('tenantLog', { getter: () => tenantLog })

  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error)
    logProblem(request.log, problem)
    const { title, text } = TEXTS[problem.code] ?? { title: 'We can’t continue', text: problem.message }
    const code = toOAuthError(problem).error
    return sendErrorPage(request, reply, {
      status: problem.status,
      title,
      text,
      code,
      // Whoever builds the application reads here what to mend.
      reason: problem.code === 'invalid_request' ? problem.message : problem.code,
      at: clock.now(),
    })
  })
}
