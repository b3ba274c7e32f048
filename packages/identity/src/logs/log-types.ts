/**
 * Auth0's one-word codes of what happened. Whoever reads logs or filters a stream compares with these words, so they are
 * spelled exactly so. `category` is what filters of log streams name.
 */

export interface LogTypeDefinition {
  category: LogCategory
  description: string
}

export const LOG_CATEGORIES = [
  'auth.login.fail',
  'auth.login.notification',
  'auth.login.success',
  'auth.logout.fail',
  'auth.logout.success',
  'auth.signup.fail',
  'auth.signup.success',
  'auth.silent_auth.fail',
  'auth.silent_auth.success',
  'auth.token_exchange.fail',
  'auth.token_exchange.success',
  'management.fail',
  'management.success',
  'scim.event',
  'system.notification',
  'user.fail',
  'user.success',
  'user.notification',
  'actions',
  'other',
] as const
export type LogCategory = (typeof LOG_CATEGORIES)[number]

const define = <Type extends string>(
  types: Record<Type, [LogCategory, string]>,
): Readonly<Record<Type, LogTypeDefinition>> =>
  Object.fromEntries(
    Object.entries<[LogCategory, string]>(types).map(([type, [category, description]]) => [
      type,
      { category, description },
    ]),
  ) as Record<Type, LogTypeDefinition>

export const LOG_TYPES = define({
  s: ['auth.login.success', 'Signed in'],
  f: ['auth.login.fail', 'Sign-in failed'],
  fp: ['auth.login.fail', 'Sign-in failed: wrong password'],
  fu: ['auth.login.fail', 'Sign-in failed: unknown user'],
  w: ['auth.login.notification', 'Warning during a sign-in'],
  ss: ['auth.signup.success', 'Signed up'],
  fs: ['auth.signup.fail', 'Sign-up failed'],
  ssa: ['auth.silent_auth.success', 'Signed in silently'],
  fsa: ['auth.silent_auth.fail', 'Silent sign-in failed'],
  slo: ['auth.logout.success', 'Signed out'],
  flo: ['auth.logout.fail', 'Sign-out failed'],
  si: ['user.success', 'Invitation accepted'],
  fi: ['user.fail', 'Invitation could not be accepted'],
  seacft: ['auth.token_exchange.success', 'Authorization code exchanged'],
  feacft: ['auth.token_exchange.fail', 'Authorization code could not be exchanged'],
  seccft: ['auth.token_exchange.success', 'Client credentials exchanged'],
  feccft: ['auth.token_exchange.fail', 'Client credentials could not be exchanged'],
  sertft: ['auth.token_exchange.success', 'Refresh token exchanged'],
  fertft: ['auth.token_exchange.fail', 'Refresh token could not be exchanged'],
  ferrt: ['auth.token_exchange.fail', 'Rotated refresh token used again; its family was revoked'],
  srrt: ['user.success', 'Refresh token revoked'],
  sapi: ['management.success', 'Management API operation'],
  fapi: ['management.fail', 'Management API operation refused'],
  mgmt_api_read: ['management.success', 'Management API read of a secret'],
  api_limit: ['system.notification', 'Rate limit reached'],
  organization_member_added: ['management.success', 'Member added to an organization'],
  sv: ['user.success', 'E-mail address verified'],
  fv: ['user.fail', 'Verification mail could not be sent'],
  svr: ['user.success', 'Verification mail requested'],
  fvr: ['user.fail', 'Verification mail could not be requested'],
  scp: ['user.success', 'Password changed'],
  fcp: ['user.fail', 'Password could not be changed'],
  scpr: ['user.success', 'Password change requested'],
  fcpr: ['user.fail', 'Password change could not be requested'],
  sce: ['user.success', 'E-mail address changed'],
  fce: ['user.fail', 'E-mail address could not be changed'],
  scu: ['user.success', 'User name changed'],
  fcu: ['user.fail', 'User name could not be changed'],
  sdu: ['user.success', 'User deleted'],
  fdu: ['user.fail', 'User could not be deleted'],
  sui: ['management.success', 'Users imported'],
  fui: ['management.fail', 'Users could not be imported'],
  limit_wc: ['user.notification', 'Address blocked: too many failed sign-ins to one account'],
  limit_mu: ['user.notification', 'Address blocked: too many failed sign-ins'],
  limit_sul: ['user.notification', 'User blocked: too many sign-ins in a short time'],
  ublkdu: ['user.notification', 'Block of a user released'],
  actions_execution_failed: ['actions', 'Action failed'],
  custom_domain_verification_failed: ['system.notification', 'Custom domain could not be verified'],
})
export type LogType = keyof typeof LOG_TYPES
