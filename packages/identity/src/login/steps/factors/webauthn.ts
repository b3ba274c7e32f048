/** The pages on which a security key, or the authenticator of the device, is asked for or added. */
import type { WebauthnFactor } from '../../factors/webauthn.ts'
import type { Step, StepTools, Visit } from '../../login.ts'
import { type Refused, refusalOf } from './code.ts'
import { openOptions } from './options.ts'
import { goOnWith, passed } from './passed.ts'
import { type Pending, pendingFactor } from './pending.ts'

const isPage =
  (page: string): Step['isDue'] =>
  async (visit, tools) =>
    (await pendingFactor(visit, tools))?.page === page

export function webauthnChallenge(factor: WebauthnFactor): Step {
  const page = `mfa-${factor}-challenge` as const
  return {
    name: page,
    silently: 'second_factor_required',
    isDue: isPage(page),

    show: async (tools, visit) => show(tools, visit, (await pendingFactor(visit, tools))!, {}),

    async submit(tools, visit, form) {
      const pending = (await pendingFactor(visit, tools))!
      if (form.action === 'pick-authenticator') return openOptions(tools, visit, pending)
      const { method } = pending.asks!
      const outcome = await tools.factors.verify(pending.person, method.id, visit.transaction.state, form.passkey ?? '')
      if (outcome === 'right') return passed(tools, visit, pending, factor, form)
      return show(tools, visit, pending, refusalOf(outcome, visit.reply))
    },
  }

  async function show(tools: StepTools, visit: Visit, pending: Pending, { status = 200, refused }: Refused) {
    const { method, others } = pending.asks!
    const { options } = await tools.factors.challenge(pending.person, method, visit.transaction.state)
    const { mayRemember, person } = pending
    const who = person.user.email ?? person.user.name
    const values = { page, kind: 'get', options: JSON.stringify(options), may_pick: others.length > 0 }
    return tools.show(visit, page, { ...values, refused, may_remember: mayRemember, who }, status)
  }
}

export function webauthnEnrolment(factor: WebauthnFactor): Step {
  const page = `mfa-${factor}-enrollment` as const
  return {
    name: page,
    silently: 'second_factor_required',
    isDue: isPage(page),

    show: async (tools, visit) => show(tools, visit, (await pendingFactor(visit, tools))!, {}),

    async submit(tools, visit, form) {
      const pending = (await pendingFactor(visit, tools))!
      if (form.action === 'pick-authenticator') return openOptions(tools, visit, pending)
      const { method, proven } = pending.adds!
      if (!method) return show(tools, visit, pending, {})
      const { state } = visit.transaction
      const outcome = await tools.factors.confirm(pending.person, method, state, form.passkey ?? '', proven)
      if (outcome === 'right') return passed(tools, visit, pending, factor, form)
      if (outcome === 'refused' || outcome === 'gone') return goOnWith(tools, visit, pending, { adding: undefined })
      return show(tools, visit, pending, refusalOf(outcome, visit.reply))
    },
  }

  async function show(tools: StepTools, visit: Visit, pending: Pending, { status = 200, refused }: Refused) {
    const { person, adds, progress } = pending
    const userAgent = visit.request.headers['user-agent']
    const begun = adds?.method ? await tools.factors.begun(person, adds.method) : undefined
    const { method } = begun ?? (await tools.factors.enrol(person, factor, { userAgent }))
    const transaction = begun
      ? visit.transaction
      : await tools.transactions.note(visit.request, visit.transaction, {
          factors: { ...progress, adding: { factor, method: method.id } },
        })
    const { options } = await tools.factors.challenge(person, method, transaction.state)
    const values = { page, kind: 'create', options: JSON.stringify(options), may_pick: adds!.factors.length > 1 }
    return tools.show({ ...visit, transaction }, page, { ...values, refused }, status)
  }
}
