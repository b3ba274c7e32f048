import { HttpErrorResponse } from '@angular/common/http'

export interface Problem {
  code: string
  text: string
  /** The permission that is missing. */
  permission?: string
}

/**
 * What the API's refusal means for somebody who was `doing` something, as in "remove this item".
 * The gateway answers 403 to a token without the permission before the service hears of the request.
 */
export function problemOf(error: unknown, doing: string, permission: string): Problem {
  const answer = error instanceof Error && error.cause instanceof HttpErrorResponse ? error.cause : error
  if (!(answer instanceof HttpErrorResponse) || answer.status === 0) {
    return { code: 'unreachable', text: `We couldn’t ${doing}. Check your connection, then try again.` }
  }
  const { code, message } = (answer.error ?? {}) as { code?: unknown; message?: unknown }
  const named = typeof code === 'string' ? code : undefined
  switch (answer.status) {
    case 401:
      return { code: named ?? 'unauthorized', text: 'Your sign-in has ended. Sign out, then sign in again.' }
    case 403:
      return {
        code: named ?? 'forbidden',
        text: `You can’t ${doing}. It needs a permission you don’t have; ask your company’s administrator for it.`,
        permission,
      }
    case 404:
      return { code: named ?? 'not_found', text: 'That item is gone already. Load the list again.' }
    case 429:
      return { code: named ?? 'too_many', text: 'Too many requests. Wait a moment, then try again.' }
  }
  if (answer.status < 500 && typeof message === 'string') return { code: named ?? 'refused', text: message }
  return { code: named ?? 'unavailable', text: `We couldn’t ${doing}. Wait a moment, then try again.` }
}
