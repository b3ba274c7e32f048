/** The pages of second factors, in the order in which they are looked at: at most one of them is due. */
import type { Step } from '../../login.ts'
import { codeStep } from './code.ts'
import { otpEnrolment, recoveryCodeEnrolment, smsEnrolment } from './enrolment.ts'
import { enrollOptions, loginOptions } from './options.ts'
import { webauthnChallenge, webauthnEnrolment } from './webauthn.ts'

export const factorSteps: readonly Step[] = [
  codeStep('otp'),
  codeStep('sms'),
  codeStep('email'),
  codeStep('recovery-code'),
  webauthnChallenge('webauthn-roaming'),
  webauthnChallenge('webauthn-platform'),
  webauthnEnrolment('webauthn-roaming'),
  webauthnEnrolment('webauthn-platform'),
  loginOptions,
  enrollOptions,
  otpEnrolment,
  smsEnrolment,
  recoveryCodeEnrolment,
]
