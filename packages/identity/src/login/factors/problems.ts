import { defineProblems } from '@tenantry/kernel/problem.ts'

export const refusals = defineProblems({
  invalid_contact: { status: 400, title: 'This is no phone number, or no e-mail address, that a code can be sent to.' },
  not_sent: { status: 503, title: 'Codes by mail are switched off: the template mfa_oob_code is not enabled.' },
  too_many_messages: { status: 429, title: 'Too many codes were sent. Wait an hour, then ask for another one.' },
  already_enrolled: { status: 403, title: 'User is already enrolled.' },
  factor_unavailable: { status: 400, title: 'This factor is not enabled, or this method does not exist any more.' },
})
