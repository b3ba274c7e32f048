/**
 * The pages on which a code is typed: one that an app shows, one that was sent, or the recovery code. Those with a sent
 * code also confirm a new address or number.
 */
import { toProblem } from '@tenantry/kernel/http/server.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { masked } from '../../factors/email.ts'
import type { FactorName, Method } from '../../factors/factor.ts'
import type { Outcome } from '../../factors/factors.ts'
import type { Step, StepTools, Visit } from '../../login.ts'
import { openOptions } from './options.ts'
import { goOnWith, passed } from './passed.ts'
import { type Pending, pendingFactor } from './pending.ts'

export const CODE_PAGES = {
  otp: 'mfa-otp-challenge',
  sms: 'mfa-sms-challenge',
  email: 'mfa-email-challenge',
  'recovery-code': 'mfa-recovery-code-challenge',
} as const
type CodeFactor = keyof typeof CODE_PAGES

export const codeStep = (factor: CodeFactor): Step => {
  const page = CODE_PAGES[factor]
  return {
    name: page,
    silently: 'second_factor_required',
    isDue: async (visit, tools) => (await pendingFactor(visit, tools))?.page === page,

    async show(tools, visit) {
      const pending = (await pendingFactor(visit, tools))!
      const ready = await methodOf(tools, visit, pending, factor)
      if (!ready) return goOnWith(tools, visit, pending, { adding: undefined })
      const { method, visit: now } = ready
      const waits = isSent(factor) && !(await tools.factors.isChallenged(pending.person, method, now.transaction.state))
      return render(tools, now, pending, method, waits ? await send(tools, now, pending, method) : {})
    },

    async submit(tools, visit, form) {
      const pending = (await pendingFactor(visit, tools))!
      if (form.action === 'pick-authenticator') return openOptions(tools, visit, pending)
      const ready = await methodOf(tools, visit, pending, factor)
      if (!ready) return goOnWith(tools, visit, pending, { adding: undefined })
      const { method, visit: now } = ready
      if (form.action === 'resend-code' && isSent(factor)) {
        return render(tools, now, pending, method, await send(tools, now, pending, method))
      }
      const { state } = now.transaction
      const code = form.code ?? ''
      const outcome = method.confirmed
        ? await tools.factors.verify(pending.person, method.id, state, code)
        : await tools.factors.confirm(pending.person, method.id, state, code, pending.adds?.proven ?? false)
      if (outcome === 'right') return passed(tools, now, pending, factor, form)
      if (outcome === 'refused' || outcome === 'gone') return tools.proceed({ ...now })
      return render(tools, now, pending, method, refusalOf(outcome, now.reply))
    },
  }
}

const isSent = (factor: FactorName): boolean => factor === 'sms' || factor === 'email'

export interface Refused {
  status?: number
  refused?: string
}

export function refusalOf(outcome: Exclude<Outcome, 'right'>, reply: FastifyReply): Refused {
  if (outcome === 'wrong') return { status: 400, refused: 'invalid-code' }
  reply.header('retry-after', '900')
  return { status: 429, refused: 'too-many-failures' }
}

/**
 * What is asked for, or what is being added; the person's own address is added here. Undefined when the number that was
 * being added is gone.
 */
async function methodOf(
  tools: StepTools,
  visit: Visit,
  { person, progress, asks, adds }: Pending,
  factor: CodeFactor,
): Promise<{ visit: Visit; method: Method } | undefined> {
  if (asks) return { visit, method: asks.method }
  const begun = adds?.method ? await tools.factors.begun(person, adds.method) : undefined
  if (begun) return { visit, method: begun.method }
  if (factor !== 'email') return undefined
  const { method } = await tools.factors.enrol(person, factor)
  const transaction = await tools.transactions.note(visit.request, visit.transaction, {
    factors: { ...progress, adding: { factor, method: method.id } },
  })
  return { visit: { ...visit, transaction }, method }
}

async function send(
  tools: StepTools,
  { request, transaction }: Visit,
  { person }: Pending,
  method: Method,
): Promise<Refused> {
  try {
    await tools.factors.challenge(person, method, transaction.state)
    return {}
  } catch (error) {
    return refusalOfSending(error, request.log)
  }
}

/** @throws what is none */
export function refusalOfSending(error: unknown, log: FastifyRequest['log']): Refused {
  const problem = toProblem(error)
  const isKnown = ['too_many_messages', 'not_sent', 'no_phone_provider'].includes(problem.code)
  if (!isKnown) throw error
  log.warn({ err: error }, 'a code was not sent')
  return problem.code === 'too_many_messages'
    ? { status: 429, refused: 'too-many-messages' }
    : { status: 503, refused: 'not-sent' }
}

function render(
  tools: StepTools,
  visit: Visit,
  pending: Pending,
  method: Method,
  { status = 200, refused }: Refused,
): Promise<FastifyReply> {
  const others = pending.asks?.others.length ?? (pending.adds?.factors.length ?? 1) - 1
  return tools.show(
    visit,
    CODE_PAGES[method.factor as CodeFactor],
    {
      refused,
      sent_to: method.email ? masked(method.email) : method.phone_number?.slice(-2),
      may_pick: others > 0,
      may_edit: !method.confirmed && method.factor === 'sms',
      may_remember: pending.mayRemember,
      who: pending.person.user.email ?? pending.person.user.name,
    },
    status,
  )
}
