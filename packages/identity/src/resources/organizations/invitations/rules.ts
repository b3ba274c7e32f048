import { addSeconds } from '@tenantry/kernel/clock.ts'
import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { newId, randomHandle } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { hashHandle, type Secrets } from '@tenantry/kernel/secrets.ts'
import { brandTokens, DEFAULT_BRAND } from '../../../brand-colors.ts'
import { longDate, shortDate } from '../../../delivery/dates.ts'
import type { Mail } from '../../../delivery/outbox.ts'
import { inert, initials, render } from '../../../delivery/render.ts'
import { friendlyName, primaryColor, type RequestEnvironment } from '../../../environments/environment.ts'
import { isEmailAddress } from '../../email-address.ts'
import { type Wording, word } from '../../email-templates/wording.ts'
import { present } from '../../wire.ts'
import type { OrganizationRow } from '../store.ts'
import { type CreateInvitation, DEFAULT_TTL, type Invitation } from './schema.ts'
import type { InvitationRow } from './store.ts'

export const problems = defineProblems({
  inexistent_invitation: { status: 404, title: 'The invitation does not exist.' },
  too_many_requests: {
    status: 429,
    title: 'This address was invited {limit} times within an hour. Wait before you invite it again.',
  },
})

/** Mails to one address; more would make this a way to flood somebody's mailbox in our name. */
export const INVITATIONS_PER_HOUR = 20

export const refuse = (reason: string) => bodyProblems.invalid_body({ facts: { reason } })

/** Where invitation links of a client lead. */
export interface LoginRoute {
  client_id: string
  name: string
  callbacks: string[]
  initiate_login_uri: string | null
}

/** @throws Problem `invalid_body` */
export function invite(
  deps: { secrets: Secrets },
  given: {
    environmentId: string
    organizationId: string
    asked: CreateInvitation
    ttl?: number | undefined
    now: Date
  },
): { row: InvitationRow; ticket: string } {
  const { environmentId, organizationId, asked, ttl, now } = given
  if (!isEmailAddress(asked.invitee.email)) {
    throw refuse("Payload validation error: 'invitee.email' must be one e-mail address, without a display name.")
  }
  const id = newId.invitation()
  const ticket = randomHandle()
  const row: InvitationRow = {
    id,
    organization_id: organizationId,
    ticket_hash: hashHandle(ticket),
    ticket: deps.secrets.seal(sealContext(environmentId, id), ticket),
    inviter: { name: asked.inviter.name },
    invitee: { email: asked.invitee.email },
    client_id: asked.client_id,
    connection_id: asked.connection_id ?? null,
    roles: asked.roles ?? [],
    app_metadata: asked.app_metadata ?? {},
    user_metadata: asked.user_metadata ?? {},
    created_at: now,
    expires_at: addSeconds(now, asked.ttl_sec || ttl || DEFAULT_TTL),
  }
  return { row, ticket }
}

const sealContext = (environmentId: string, id: string) => `${environmentId}/invitation/${id}`

/** The ticket again, for the API that shows the link to administrators. */
export const openTicket = (
  secrets: Secrets,
  environmentId: string,
  row: Pick<InvitationRow, 'id' | 'ticket'>,
): string => secrets.open(sealContext(environmentId, row.id), row.ticket)

/** @returns undefined when neither the client nor the environment has a route that a browser may be sent to */
export function invitationUrl(
  route: string | null | undefined,
  organization: { id: string; name: string },
  ticket: string,
): string | undefined {
  if (!route || !URL.canParse(route)) return undefined
  const url = new URL(route)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined
  url.searchParams.set('invitation', ticket)
  url.searchParams.set('organization', organization.id)
  url.searchParams.set('organization_name', organization.name)
  return url.href
}

/** An invitation as the API shows it. */
export function show(row: InvitationRow, ticket: string, url: string | undefined): Invitation {
  const { ticket: _sealed, ticket_hash: _hash, app_metadata, user_metadata, ...rest } = row
  return {
    ...present(rest),
    ...(url === undefined ? {} : { invitation_url: url }),
    ticket_id: ticket,
    ...(Object.keys(app_metadata).length > 0 ? { app_metadata } : {}),
    ...(Object.keys(user_metadata).length > 0 ? { user_metadata } : {}),
  }
}

/** @returns undefined when this mail is switched off */
export async function invitationMail(given: {
  environment: RequestEnvironment
  organization: OrganizationRow
  invitation: InvitationRow
  client: Pick<LoginRoute, 'client_id' | 'name' | 'callbacks'>
  roleNames: string[]
  url: string
  wording: Wording
}): Promise<Mail | undefined> {
  const { environment, organization, invitation, client, roleNames, url, wording } = given
  const product = inert(friendlyName(environment))
  const inviter = inert(invitation.inviter.name)
  const name = inert(organization.display_name)
  const subject = `${inviter} invited you to ${name} on ${product}`
  const body = await render('organization_invitation', {
    subject,
    product,
    inviter,
    organization: { name, initials: initials(organization.display_name) },
    roles: roleNames.map(inert).join(', '),
    url,
    expires: longDate(invitation.expires_at),
    expires_day: shortDate(invitation.expires_at),
    brand: brandTokens(organization.branding?.colors?.primary ?? primaryColor(environment) ?? DEFAULT_BRAND),
  })
  const { email } = invitation.invitee
  const about = { environment, organization, client, inviter: invitation.inviter, roles: roleNames }
  return word(wording, { ...about, user: { email } }, url, {
    recipient: email,
    template: 'organization_invitation',
    subject,
    ...body,
  })
}
