/** The lists: with which of the methods one has, and which factor to add. */
import type { FastifyReply } from 'fastify'
import { FACTORS, type FactorName } from '../../../resources/users/authentication-methods/rules.ts'
import { masked } from '../../factors/email.ts'
import type { Method } from '../../factors/factor.ts'
import type { Step, StepTools, Visit } from '../../login.ts'
import { goOnWith } from './passed.ts'
import { type Pending, pendingFactor } from './pending.ts'

/** The list that belongs to what is pending. */
export const openOptions = (_tools: StepTools, { reply, transaction }: Visit, { asks }: Pending): FastifyReply =>
  reply
    .header('cache-control', 'no-store')
    .redirect(`/u/${asks ? 'mfa-login-options' : 'mfa-enroll-options'}?state=${transaction.state}`, 303)

const isFactor = (name: string | undefined): name is FactorName => FACTORS.some((factor) => factor === name)

/** `sms::1`: the second of two numbers. */
const choiceOf = (method: Method, all: Method[]): string => {
  const same = all.filter(({ factor }) => factor === method.factor)
  return same.length > 1 ? `${method.factor}::${same.indexOf(method)}` : method.factor
}

const hintOf = ({ factor, phone_number, email, name }: Method): string =>
  factor === 'sms' ? `···· ${phone_number?.slice(-2)}` : factor === 'email' ? masked(email ?? '') : (name ?? '')

export const loginOptions: Step = {
  name: 'mfa-login-options',
  silently: 'second_factor_required',
  isDue: () => false,
  mayReturn: async (visit, tools) => (await pendingFactor(visit, tools))?.asks !== undefined,

  async show(tools, visit) {
    const { method, others } = (await pendingFactor(visit, tools))!.asks!
    const all = [method, ...others]
    const options = all.map((each) => ({ factor: each.factor, value: choiceOf(each, all), hint: hintOf(each) }))
    return tools.show(visit, 'mfa-login-options', { options })
  },

  async submit(tools, visit, form) {
    const pending = (await pendingFactor(visit, tools))!
    const { method, others } = pending.asks!
    const all = [method, ...others]
    const picked = all.find((each) => choiceOf(each, all) === form.action)
    if (!picked) return tools.proceed(visit)
    return goOnWith(tools, visit, pending, { picked: picked.id })
  },
}

export const enrollOptions: Step = {
  name: 'mfa-enroll-options',
  silently: 'second_factor_required',
  isDue: async (visit, tools) => (await pendingFactor(visit, tools))?.page === 'mfa-enroll-options',
  mayReturn: async (visit, tools) => (await pendingFactor(visit, tools))?.adds !== undefined,

  async show(tools, visit) {
    const { factors } = (await pendingFactor(visit, tools))!.adds!
    const options = factors.map((factor) => ({ factor, value: factor, hint: '' }))
    return tools.show(visit, 'mfa-enroll-options', { options })
  },

  async submit(tools, visit, form) {
    const pending = (await pendingFactor(visit, tools))!
    const { action } = form
    if (!isFactor(action) || !pending.adds!.factors.includes(action)) return tools.proceed(visit)
    return goOnWith(tools, visit, pending, { adding: { factor: action } })
  },
}
