/** A factor was passed: the session says so under a new identifier, and the login goes on. */
import type { FastifyReply } from 'fastify'
import type { FactorName } from '../../factors/factor.ts'
import { remember } from '../../factors/remembered.ts'
import type { StepTools, Visit } from '../../login.ts'
import type { Pending } from './pending.ts'

export async function passed(
  tools: StepTools,
  visit: Visit,
  pending: Pending,
  factor: FactorName,
  form: Readonly<Record<string, string>>,
): Promise<FastifyReply> {
  const { request, reply } = visit
  const session = await tools.sessions.raise(request, reply, visit.session!, factor)
  // It was ended while the code was typed.
  if (!session) return tools.proceed({ ...visit, session })
  if (pending.mayRemember && form.rememberBrowser === 'true') await remember(tools, request, reply, session.user_id)
  const { user_id, passed: before } = pending.progress
  const transaction = await tools.transactions.note(request, visit.transaction, {
    factors: { user_id, passed: [...new Set([...before, factor])] },
  })
  return tools.proceed({ ...visit, session, transaction })
}

/** On to the page of another method, or of another factor to add. */
export async function goOnWith(
  tools: StepTools,
  visit: Visit,
  { progress }: Pending,
  chosen: { picked: string } | { adding: { factor: FactorName; method?: string } | undefined },
): Promise<FastifyReply> {
  const { user_id, passed: before } = progress
  const transaction = await tools.transactions.note(visit.request, visit.transaction, {
    factors: { user_id, passed: before, ...chosen } as typeof progress,
  })
  return tools.proceed({ ...visit, transaction })
}
