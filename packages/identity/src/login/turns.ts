/** Whose turn it is in a sign-in. */
import { ACCOUNT_CLIENT_ID } from '../oauth/account-client.ts'
import type { Step, StepTools, Visit } from './login.ts'
import { redirect } from './redirect-actions.ts'
import { accountPicker } from './steps/account-picker.ts'
import { addressProof } from './steps/address-proof.ts'
import { consent } from './steps/consent.ts'
import { credentials } from './steps/credentials.ts'
import { deviceConfirmation } from './steps/device-confirmation.ts'
import { decisionOf } from './steps/factors/pending.ts'
import { factorSteps } from './steps/factors/steps.ts'
import { identifier, passwordOf } from './steps/identifier.ts'
import { invitation } from './steps/invitation/invitation.ts'
import { organization } from './steps/organization.ts'
import { organizationPicker } from './steps/organization-picker/organization-picker.ts'
import { passkeyEnrollment } from './steps/passkey-enrollment.ts'
import { codeChallenge, codeRequest } from './steps/passwordless.ts'
import { resetRequest } from './steps/reset-request.ts'
import { signup } from './steps/signup.ts'
import type { ActionDecision } from './transactions.ts'

/** In the order in which they are asked, before the Actions run. */
const STEPS: readonly Step[] = [
  deviceConfirmation,
  organization,
  invitation,
  accountPicker,
  addressProof,
  codeChallenge,
  codeRequest,
  signup,
  identifier,
  passwordOf,
  credentials,
  resetRequest,
  organizationPicker,
  redirect,
]

/** And after: Actions may demand a second factor, and take back what they demanded. */
const STEPS_AFTER_ACTIONS: readonly Step[] = [...factorSteps, passkeyEnrollment, consent]

export const EVERY_STEP = [...STEPS, ...STEPS_AFTER_ACTIONS]

/** At our own page no Actions run. */
const stepsOf = (visit: Visit): readonly Step[] =>
  decisionOf(visit) || visit.client.client_id === ACCOUNT_CLIENT_ID ? EVERY_STEP : STEPS

/** Whose turn it is, and the visit with what was answered on the way: an answer may make an earlier step due again. */
export async function firstDue(
  visit: Visit,
  tools: StepTools,
  steps = stepsOf(visit),
): Promise<{ visit: Visit; due: Step | undefined }> {
  for (const step of steps) {
    const answered = await step.answer?.(tools, visit)
    if (answered) return firstDue(answered, tools)
    if (await step.isDue(visit, tools)) return { visit, due: step }
  }
  return { visit, due: undefined }
}

/** What is left to ask, if this is what the Actions decided. */
export async function dueAfterActions(
  { transaction, ...visit }: Visit,
  decision: ActionDecision,
  tools: StepTools,
): Promise<Step | undefined> {
  const decided = { ...visit, transaction: { ...transaction, progress: { ...transaction.progress, decision } } }
  return (await firstDue(decided, tools, STEPS_AFTER_ACTIONS)).due
}
