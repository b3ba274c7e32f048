/**
 * After a sign-up: the link in the mail is waited for. Followed in this browser it signs in, so the page is behind us;
 * that it never comes where the address had an account already is what the mail says, not this page.
 */
import type { Step } from '../login.ts'
import { needsSignIn } from '../station.ts'

export const addressProof: Step = {
  name: 'login-email-verification',
  silently: 'login_required',
  station: 'sign-in',
  isDue: (visit) => needsSignIn(visit) && visit.transaction.progress.signUp !== undefined,
  isOffered: () => false,

  show: (tools, visit) =>
    tools.show(visit, 'login-email-verification', { email: visit.transaction.progress.signUp!.email }),
  submit: (tools, visit) => tools.proceed(visit),
}
