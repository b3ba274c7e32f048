export interface Explanation {
  title: string
  text: string
}

/** The issuer's answers (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6, the SDK's own) in words that help. */
const EXPLANATIONS: Record<string, Explanation> = {
  access_denied: {
    title: 'You can’t enter with this sign-in',
    text: 'You may not be a member of this company, or the sign-in was cancelled. Ask its administrator for an invitation, or choose another company.',
  },
  invalid_invitation: {
    title: 'This invitation can’t be used any more',
    text: 'It was used already, has expired, or was taken back. Ask the person who invited you to send a new one.',
  },
  login_required: {
    title: 'Your session has ended',
    text: 'Sign in again to go on. What was saved is still there.',
  },
  missing_transaction: {
    title: 'This sign-in is too old',
    text: 'It was begun in another window, or some time ago. Start again from here.',
  },
  unauthorized: {
    title: 'This account is blocked',
    text: 'Ask the administrator of your company to look at it.',
  },
  temporarily_unavailable: {
    title: 'Sign-in is not available right now',
    text: 'Try again in a few minutes.',
  },
}
const SAME_AS: Record<string, string> = {
  interaction_required: 'login_required',
  consent_required: 'login_required',
  missing_refresh_token: 'login_required',
  invalid_grant: 'login_required',
  invalid_state: 'missing_transaction',
  server_error: 'temporarily_unavailable',
  timeout: 'temporarily_unavailable',
}
const OTHERWISE: Explanation = {
  title: 'The sign-in did not work',
  text: 'Start again. If it fails once more, send the details below to the administrator of your company.',
}

export function explain(code: string | undefined, description: string | undefined): Explanation {
  if (code !== undefined && /invitation/i.test(description ?? '')) return EXPLANATIONS.invalid_invitation ?? OTHERWISE
  const key = code === undefined ? '' : (SAME_AS[code] ?? code)
  return (Object.hasOwn(EXPLANATIONS, key) ? EXPLANATIONS[key] : undefined) ?? OTHERWISE
}
