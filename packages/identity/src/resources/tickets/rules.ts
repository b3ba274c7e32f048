import { addSeconds } from '@tenantry/kernel/clock.ts'
import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { DatabaseIdentity } from '../users/identities/store.ts'
import type { UserRow } from '../users/store.ts'
import { refuseAddress } from '../web-address.ts'
import { DEFAULT_TTL, type IdentityInput } from './schema.ts'
import type { TicketKind, TicketRow } from './store.ts'

export const refuse = (reason: string) =>
  bodyProblems.invalid_body({ facts: { reason: `Payload validation error: ${reason}` } })

/** Auth0's addresses of the pages. The empty fragment ends the address where mail programs would append to it. */
const PAGES: Record<TicketKind, string> = {
  email_verification: 'email-verification',
  password_change: 'reset-verify',
  unblock: 'unblock',
}

export interface TicketWishes {
  kind: TicketKind
  ttl?: number | null | undefined
  resultUrl?: string | null | undefined
  includeEmail?: boolean | null | undefined
  markVerified?: boolean | undefined
  clientId?: string | undefined
  organizationId?: string | undefined
  signUp?: SignUpInWaiting | undefined
  /** Whose password it is for, if that is not the person's own. */
  linked?: DatabaseIdentity | undefined
}

/** What waits until the address of a sign-up is proven. */
export interface SignUpInWaiting {
  passwordHash: string
  browserHash: Buffer
}

/** A ticket for a person as they are now: when their address has changed, it is worth nothing. */
export function makeTicket(
  origin: string,
  user: Pick<UserRow, 'user_id' | 'email'>,
  wishes: TicketWishes,
  now: Date,
): { row: TicketRow; url: string } {
  const handle = randomHandle()
  const row: TicketRow = {
    handle_hash: hashHandle(handle),
    kind: wishes.kind,
    user_id: user.user_id,
    provider: wishes.linked?.provider ?? null,
    identity_id: wishes.linked?.identity_id ?? null,
    email: wishes.linked ? wishes.linked.email : user.email,
    result_url: wishes.resultUrl ?? null,
    include_email_in_redirect: wishes.includeEmail ?? false,
    mark_email_as_verified: wishes.markVerified ?? false,
    client_id: wishes.clientId ?? null,
    organization_id: wishes.organizationId ?? null,
    password_hash: wishes.signUp?.passwordHash ?? null,
    browser_hash: wishes.signUp?.browserHash ?? null,
    created_at: now,
    expires_at: addSeconds(now, wishes.ttl || DEFAULT_TTL),
  }
  return { row, url: `${origin}/u/${PAGES[wishes.kind]}?ticket=${handle}#` }
}

/** @throws Problem `invalid_body` */
export function refuseResultUrl(address: string | undefined): void {
  const wrong = address === undefined ? undefined : refuseAddress(address)
  if (wrong) throw refuse(`'result_url' ${wrong}.`)
}

/** @throws Problem `invalid_body` for an identity that is not the person's first: mail goes to that one's address */
export function refuseOtherIdentity(user: UserRow, identity: IdentityInput | undefined): void {
  if (!identity) return
  const fits =
    `${identity.provider}|${identity.user_id}` === user.user_id &&
    (identity.connection_id === undefined || identity.connection_id === user.connection_id)
  if (!fits) throw refuse("'identity' must be the one that this user was created with.")
}
