/**
 * What must be true, in as few words as possible: who may get a token at this moment. It knows nothing of the server but
 * the rules that its documentation states, and holds time as the server's clock shows it.
 */

export const LIMITS = {
  sessionSeconds: 8 * 3600,
  idleSeconds: 2 * 3600,
  codeSeconds: 120,
  refreshSeconds: 24 * 3600,
  refreshIdleSeconds: 6 * 3600,
  leewaySeconds: 30,
}

export interface Person {
  id: string
  email: string
  password: string
  blocked: boolean
}

export interface Organization {
  id: string
  connectionEnabled: boolean
  suspended: boolean
  /** User id to the names of the roles held there. */
  members: Map<string, Set<Role>>
}

export type Role = 'admin' | 'reader'
export const PERMISSIONS: Record<Role, string[]> = { admin: ['create:item', 'read:item'], reader: ['read:item'] }

export interface Session {
  person: Person
  lastSeen: number
  idleEndsAt: number
  endsAt: number
  ended: boolean
}

export interface Grant {
  person: Person
  organization: Organization
  session: Session
  revoked: boolean
  hasRefreshToken: boolean
  /** Once used, and when that was. */
  code: { value: string; verifier: string; endsAt: number; used: boolean }
}

export interface RefreshToken {
  value: string
  grant: Grant
  idleEndsAt: number
  endsAt: number
  rotatedAt?: number
  successors: RefreshToken[]
}

/** A browser's sign-in counts while it is neither ended nor past a limit, and its person is not blocked. */
export const isSignedIn = (session: Session | undefined, now: number): session is Session =>
  session !== undefined && !session.ended && !session.person.blocked && now < session.endsAt && now < session.idleEndsAt

/** A look at the session extends its idle time, once a minute, and never beyond its end. */
export function see(session: Session, now: number): void {
  if (now - session.lastSeen <= 60_000) return
  session.lastSeen = now
  session.idleEndsAt = Math.min(now + LIMITS.idleSeconds * 1000, session.endsAt)
}

/** Membership, blocking and the organization's state decide about every token, whatever it is made from. */
export const mayEnter = (person: Person, organization: Organization): boolean =>
  !person.blocked && organization.members.has(person.id) && organization.connectionEnabled && !organization.suspended

export const mayExchange = ({ person, organization, revoked, code }: Grant, now: number): boolean =>
  mayEnter(person, organization) && !revoked && !code.used && now < code.endsAt

export type RefreshAnswer = 'issued' | 'refused' | 'family ends'

export function refreshAnswer(token: RefreshToken, now: number): RefreshAnswer {
  const { grant, rotatedAt } = token
  if (grant.revoked || now >= token.endsAt || now >= token.idleEndsAt) return 'refused'
  if (rotatedAt !== undefined && now - rotatedAt >= LIMITS.leewaySeconds * 1000) return 'family ends'
  if (!mayEnter(grant.person, grant.organization)) return 'refused'
  // In the leeway only the token right before the newest one is honest.
  const successorUsed = token.successors.some((successor) => successor.rotatedAt !== undefined)
  return rotatedAt !== undefined && successorUsed ? 'family ends' : 'issued'
}

export const permissionsOf = (person: Person, organization: Organization): string[] =>
  [...new Set([...(organization.members.get(person.id) ?? [])].flatMap((role) => PERMISSIONS[role]))].sort()

/** A new password and a block end everything that a person holds. */
export function endAccess(person: Person, sessions: Session[], grants: Grant[]): void {
  for (const session of sessions) if (session.person === person) session.ended = true
  for (const grant of grants) if (grant.person === person) grant.revoked = true
}
