import { Injectable, signal } from '@angular/core'

/**
 * The last thing that went wrong with signing in. It is kept in memory and not in the address, where anybody could
 * write a sentence of their own and send it as a link that Stockroom seems to say.
 */
@Injectable({ providedIn: 'root' })
export class Failures {
  readonly latest = signal<unknown>(undefined)
}

export interface Explanation {
  title: string
  text: string
  /** Whether signing in again, as it was, can help; otherwise the way out leads elsewhere. */
  again: 'retry' | 'another'
  code?: string
  description?: string
}

/** What the SDK raises when the issuer was not reached or could not answer; trying again is right. */
const PASSING = new Set(['timeout', 'request_error', 'server_error', 'temporarily_unavailable'])

/** Whether there is no going on without signing in again. */
export const endsSignIn = (error: unknown): boolean => {
  const { code } = facts(error)
  return code !== undefined && !PASSING.has(code)
}

/** An error of the SDK or the issuer (RFC 6749 §4.1.2.1) in plain words. */
export function explain(error: unknown): Explanation {
  const { code, description } = facts(error)
  const details = { ...(code ? { code } : {}), ...(description ? { description } : {}) }
  const about = (...words: string[]) => words.some((word) => description?.toLowerCase().includes(word))

  if (about('invitation')) {
    return {
      title: 'This invitation can’t be used any more',
      text: 'It was used, withdrawn or has run out. Ask the person who invited you to send a new one. If you have used it already, sign in.',
      again: 'another',
      ...details,
    }
  }
  if (code === 'access_denied' && about('not part of', 'not a member', 'membership')) {
    return {
      title: 'You can’t enter with this sign-in',
      text: 'It doesn’t belong to that organization. Ask its administrator for an invitation, or sign in to another organization.',
      again: 'another',
      ...details,
    }
  }
  if (code === 'access_denied' || code === 'unauthorized') {
    return {
      title: 'The sign-in was refused',
      text: 'You can start again. If it is refused again, ask your administrator and name the details below.',
      again: 'another',
      ...details,
    }
  }
  if (code === 'invalid_request' && about('organization')) {
    return {
      title: 'We can’t continue with that organization',
      text: 'Check the spelling in your invitation, or type its name on the sign-in page.',
      again: 'another',
      ...details,
    }
  }
  if (code === 'missing_transaction' || code === 'state_mismatch') {
    return {
      title: 'This sign-in was begun elsewhere',
      text: 'It was started in another window or finished before, so we stopped it to keep you safe. Start again here.',
      again: 'retry',
      ...details,
    }
  }
  if (code === 'consent_required' || code === 'interaction_required' || code === 'mfa_required') {
    return {
      title: 'Your sign-in needs one more step',
      text: 'It can only be done on the sign-in page. You come back to where you were.',
      again: 'retry',
      ...details,
    }
  }
  if (code && ['login_required', 'invalid_grant', 'missing_refresh_token', 'missing_token'].includes(code)) {
    return {
      title: 'Your sign-in has ended',
      text: 'Sign in again to go on. Nothing you saved is lost.',
      again: 'retry',
      ...details,
    }
  }
  return {
    title: 'The sign-in didn’t finish',
    text: 'Something between here and the sign-in page failed. Start again; if it happens again, wait a few minutes.',
    again: 'retry',
    ...details,
  }
}

function facts(error: unknown): { code?: string; description?: string } {
  if (typeof error !== 'object' || error === null) return {}
  const { error: code, error_description: description } = error as { error?: unknown; error_description?: unknown }
  return {
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof description === 'string' ? { description } : {}),
  }
}
