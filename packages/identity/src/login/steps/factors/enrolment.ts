/** Adding a factor: the picture for the authenticator app, the number for codes, and the recovery code to keep. */
import { toProblem } from '@tenantry/kernel/http/server.ts'
import { renderSVG } from 'uqr'
import type { Step, StepTools, Visit } from '../../login.ts'
import { type Refused, refusalOf } from './code.ts'
import { openOptions } from './options.ts'
import { goOnWith, passed } from './passed.ts'
import { type Pending, pendingFactor } from './pending.ts'

const isPage =
  (page: string): Step['isDue'] =>
  async (visit, tools) =>
    (await pendingFactor(visit, tools))?.page === page

export const otpEnrolment: Step = {
  name: 'mfa-otp-enrollment',
  silently: 'second_factor_required',
  isDue: isPage('mfa-otp-enrollment'),

  show: async (tools, visit) => showSecret(tools, visit, (await pendingFactor(visit, tools))!, {}),

  async submit(tools, visit, form) {
    const pending = (await pendingFactor(visit, tools))!
    if (form.action === 'pick-authenticator') return openOptions(tools, visit, pending)
    const { method, proven } = pending.adds!
    if (!method) return showSecret(tools, visit, pending, {})
    const { state } = visit.transaction
    const outcome = await tools.factors.confirm(pending.person, method, state, form.code ?? '', proven)
    if (outcome === 'right') return passed(tools, visit, pending, 'otp', form)
    if (outcome === 'refused' || outcome === 'gone') return goOnWith(tools, visit, pending, { adding: undefined })
    return showSecret(tools, visit, pending, refusalOf(outcome, visit.reply))
  },
}

/** The same secret as long as it is being added: a page that is loaded again must not undo what an app has read. */
async function showSecret(tools: StepTools, visit: Visit, pending: Pending, { status = 200, refused }: Refused) {
  const { person, adds, progress } = pending
  const begun = adds?.method ? await tools.factors.begun(person, adds.method) : undefined
  const { method, shown } = begun ?? (await tools.factors.enrol(person, 'otp'))
  const transaction = begun
    ? visit.transaction
    : await tools.transactions.note(visit.request, visit.transaction, {
        factors: { ...progress, adding: { factor: 'otp', method: method.id } },
      })
  return tools.show(
    { ...visit, transaction },
    'mfa-otp-enrollment',
    {
      refused,
      qr: renderSVG(String(shown.barcode_uri), { border: 2 }),
      secret: String(shown.secret).replace(/(.{4})(?=.)/g, '$1 '),
      may_pick: adds!.factors.length > 1,
    },
    status,
  )
}

export const smsEnrolment: Step = {
  name: 'mfa-sms-enrollment',
  silently: 'second_factor_required',
  isDue: isPage('mfa-sms-enrollment'),
  // The number was mistyped.
  mayReturn: async (visit, tools) => (await pendingFactor(visit, tools))?.adds?.factor === 'sms',

  show: async (tools, visit) => showNumber(tools, visit, (await pendingFactor(visit, tools))!, '', {}),

  async submit(tools, visit, form) {
    const pending = (await pendingFactor(visit, tools))!
    if (form.action === 'pick-authenticator') return openOptions(tools, visit, pending)
    const phone = (form.phone ?? '').slice(0, 40)
    try {
      const { method } = await tools.factors.enrol(pending.person, 'sms', { phoneNumber: phone })
      return goOnWith(tools, visit, pending, { adding: { factor: 'sms', method: method.id } })
    } catch (error) {
      if (toProblem(error).code !== 'invalid_contact') throw error
      return showNumber(tools, visit, pending, phone, { status: 400, refused: 'invalid-phone' })
    }
  },
}

const showNumber = (tools: StepTools, visit: Visit, { adds }: Pending, phone: string, { status, refused }: Refused) =>
  tools.show(visit, 'mfa-sms-enrollment', { refused, phone, may_pick: (adds?.factors.length ?? 1) > 1 }, status)

export const recoveryCodeEnrolment: Step = {
  name: 'mfa-recovery-code-enrollment',
  silently: 'second_factor_required',
  isDue: isPage('mfa-recovery-code-enrollment'),

  show: async (tools, visit) => showRecoveryCode(tools, visit, (await pendingFactor(visit, tools))!, {}),

  async submit(tools, visit, form) {
    const pending = (await pendingFactor(visit, tools))!
    const { recoveryCode } = pending.progress
    const kept =
      form.saved === 'true' &&
      recoveryCode !== undefined &&
      // Of two tabs the one that shows the code of now.
      form.shown === recoveryCode &&
      (await tools.factors.keepRecoveryCode(pending.person, recoveryCode))
    return kept
      ? tools.proceed({ ...visit })
      : showRecoveryCode(tools, visit, pending, { status: 400, refused: 'not-saved' })
  },
}

/** A code that is shown is shown once: whoever loads the page again gets another one, until one is kept. */
async function showRecoveryCode(tools: StepTools, visit: Visit, pending: Pending, { status, refused }: Refused) {
  const { id, code } = await tools.factors.newRecoveryCode(pending.person)
  const transaction = await tools.transactions.note(visit.request, visit.transaction, {
    factors: { ...pending.progress, recoveryCode: id },
  })
  const textCode = code.replace(/(.{4})(?=.)/g, '$1 ')
  return tools.show({ ...visit, transaction }, 'mfa-recovery-code-enrollment', { refused, textCode, shown: id }, status)
}
