/** What can happen, each drawn by weight: it is done to the server and to the model, and the two must agree. */
import assert from 'node:assert/strict'
import { payloadOf, toldClient } from '@tenantry/identity/oauth/fixture.ts'
import type { Answer } from '@tenantry/identity/testing.ts'
import {
  endAccess,
  type Grant,
  isSignedIn,
  LIMITS,
  mayEnter,
  mayExchange,
  type Organization,
  type Person,
  permissionsOf,
  type RefreshToken,
  type Role,
  refreshAnswer,
  type Session,
  see,
} from './model.ts'
import type { Draw, ModelWorld } from './world.ts'

/** @returns what happened, for the story that a failure tells */
type Step = (world: ModelWorld, draw: Draw) => Promise<string>

const signIn: Step = async (world, { pick }) => {
  const browser = pick(world.browsers)
  const person = pick(world.people)
  const organization = pick(world.organizations)
  const about = `${person.email} signs in at ${organization.id} in browser ${browser.name}`
  const now = world.now()
  const { path, verifier } = world.authorize({ organization: organization.id, prompt: 'login' })
  if (organization.suspended) return `${about}: ${refusedAtOnce(await browser.visit(path))}`
  if (isSignedIn(browser.session, now)) see(browser.session, now)
  const page = await browser.follow(await browser.visit(path))
  assert.equal(page.status, 200, `${about}: ${page.headers.location}`)
  const answer = await browser.follow(await browser.submit(page, { username: person.email, password: person.password }))
  if (person.blocked || !organization.connectionEnabled) {
    assert.equal(answer.status, organization.connectionEnabled ? 403 : 400, `${about}: the page refuses`)
    return `${about}: refused on the page`
  }
  // Signed in, whether or not the organization lets them in. The session that was there before is gone.
  if (browser.session) browser.session.ended = true
  browser.session = {
    person,
    lastSeen: now,
    idleEndsAt: now + LIMITS.idleSeconds * 1000,
    endsAt: now + LIMITS.sessionSeconds * 1000,
    ended: false,
  }
  world.sessions.push(browser.session)
  return `${about}: ${settleAnswer(world, browser.session, organization, verifier, answer)}`
}

/** Also the switch to another organization: the same browser asks for another one, and no page is shown. */
const silent: Step = async (world, { pick }) => {
  const browser = pick(world.browsers)
  const organization = pick(world.organizations)
  const about = `browser ${browser.name} asks silently for ${organization.id}`
  const now = world.now()
  const { path, verifier } = world.authorize({ organization: organization.id, prompt: 'none' })
  const answer = await browser.visit(path)
  if (organization.suspended) return `${about}: ${refusedAtOnce(answer)}`
  if (!isSignedIn(browser.session, now)) {
    assert.equal(toldClient(answer).error, 'login_required', about)
    return `${about}: login_required`
  }
  see(browser.session, now)
  return `${about}: ${settleAnswer(world, browser.session, organization, verifier, answer)}`
}

/** Whoever asks: a suspended organization is refused before anybody's session is looked at. */
function refusedAtOnce(answer: Answer): string {
  assert.equal(toldClient(answer).error, 'access_denied')
  return 'access_denied'
}

function settleAnswer(
  world: ModelWorld,
  session: Session,
  organization: Organization,
  verifier: string,
  answer: Answer,
): string {
  const told = toldClient(answer)
  if (!mayEnter(session.person, organization)) {
    assert.equal(told.code, undefined, `a code for ${session.person.email}, who may not enter ${organization.id}`)
    assert.equal(told.error, 'access_denied')
    return 'access_denied'
  }
  assert.ok(told.code, `no code for ${session.person.email}, who may enter ${organization.id}: ${told.error}`)
  world.grants.push({
    person: session.person,
    organization,
    session,
    revoked: false,
    hasRefreshToken: false,
    code: { value: told.code, verifier, endsAt: world.now() + LIMITS.codeSeconds * 1000, used: false },
  })
  return 'a code'
}

const exchange: Step = async (world, { pick }) => {
  const open = world.grants.filter(({ code }) => !code.used)
  // Now and then one that was used already: that is an attack, and ends what the first use got.
  const grant = pick(open.length > 0 ? open : world.grants)
  if (!grant) return 'there is no code to exchange'
  const now = world.now()
  const answer = await world.exchange(grant.code.value, grant.code.verifier)
  if (grant.code.used) {
    assert.equal(answer.status, 403, 'a code is exchanged once')
    grant.revoked = true
    return 'a used code is presented again: refused, and its grant ends'
  }
  if (!mayExchange(grant, now)) {
    assert.equal(answer.status === 200, false, `a token for a code that must not give one: ${describe(grant)}`)
    return 'a code is refused'
  }
  assert.equal(answer.status, 200, `${answer.text} for ${describe(grant)}`)
  grant.code.used = true
  grant.hasRefreshToken = true
  await checkTokens(world, grant, answer)
  world.refreshTokens.push({
    value: answer.json.refresh_token,
    grant,
    idleEndsAt: now + LIMITS.refreshIdleSeconds * 1000,
    endsAt: now + LIMITS.refreshSeconds * 1000,
    successors: [],
  })
  return `a code is exchanged for ${describe(grant)}`
}

const refresh: Step = async (world, { pick }) => {
  const token = pick(world.refreshTokens)
  return token ? present(world, token) : 'there is no token to refresh'
}

/** One that is still good, most likely: the honest client's case. */
const refreshNewest: Step = async (world, { pick }) => {
  const token = pick(world.refreshTokens.filter(({ rotatedAt, grant }) => rotatedAt === undefined && !grant.revoked))
  return token ? present(world, token) : 'there is no good token'
}

async function present(world: ModelWorld, token: RefreshToken): Promise<string> {
  const now = world.now()
  const expected = refreshAnswer(token, now)
  const answer = await world.refresh(token.value)
  const about = `a refresh token of ${describe(token.grant)}`
  if (expected !== 'issued') {
    assert.equal(answer.status, 403, `${about} gave ${answer.status} where it is ${expected}`)
    if (expected === 'family ends') token.grant.revoked = true
    return `${about}: ${expected}`
  }
  assert.equal(answer.status, 200, `${about}: ${answer.text}`)
  await checkTokens(world, token.grant, answer)
  token.rotatedAt ??= now
  const successor: RefreshToken = {
    value: answer.json.refresh_token,
    grant: token.grant,
    idleEndsAt: now + LIMITS.refreshIdleSeconds * 1000,
    endsAt: token.endsAt,
    successors: [],
  }
  token.successors.push(successor)
  world.refreshTokens.push(successor)
  return `${about}: exchanged`
}

/** A token says what holds now, and nothing of any other organization. */
async function checkTokens(world: ModelWorld, { person, organization }: Grant, { json }: Answer): Promise<void> {
  const access = payloadOf(json.access_token)
  assert.deepEqual(
    [access.sub, access.org_id, [...access.permissions].sort()],
    [person.id, organization.id, permissionsOf(person, organization)],
  )
  assert.equal(access.iat, Math.floor(world.now() / 1000))
  assert.equal(payloadOf(json.id_token).org_id, organization.id)
  await world.verify(json.access_token)
}

const revoke: Step = async (world, { pick }) => {
  const token = pick(world.refreshTokens)
  if (!token) return 'there is no token to revoke'
  assert.equal((await world.revoke(token.value)).status, 200)
  token.grant.revoked = true
  return `the client revokes the tokens of ${describe(token.grant)}`
}

const signOut: Step = async (world, { pick }) => {
  const browser = pick(world.browsers)
  await browser.visit('/v2/logout')
  if (browser.session) browser.session.ended = true
  browser.session = undefined
  return `browser ${browser.name} signs out`
}

const removeMember: Step = async (world, { pick }) => {
  const organization = pick(world.organizations)
  const person = pick(world.people)
  await world.manage('DELETE', `/organizations/${organization.id}/members`, { members: [person.id] }, 204)
  organization.members.delete(person.id)
  for (const grant of world.grants) {
    if (grant.person === person && grant.organization === organization) grant.revoked = true
  }
  return `${person.email} is removed from ${organization.id}`
}

const addMember: Step = async (world, { pick }) => {
  const organization = pick(world.organizations)
  const person = pick(world.people)
  await world.manage('POST', `/organizations/${organization.id}/members`, { members: [person.id] }, 204)
  if (!organization.members.has(person.id)) organization.members.set(person.id, new Set())
  return `${person.email} becomes a member of ${organization.id}`
}

const changeRole: Step = async (world, { pick }) => {
  const organization = pick(world.organizations)
  const person = pick(world.people.filter(({ id }) => organization.members.has(id)))
  if (!person) return `${organization.id} has no members`
  const role = pick<Role>(['admin', 'reader'])
  const roles = organization.members.get(person.id)!
  const path = `/organizations/${organization.id}/members/${encodeURIComponent(person.id)}/roles`
  const has = roles.has(role)
  await world.manage(has ? 'DELETE' : 'POST', path, { roles: [world.roles[role]] }, 204)
  if (has) roles.delete(role)
  else roles.add(role)
  return `${person.email} ${has ? 'loses' : 'gets'} the role ${role} in ${organization.id}`
}

const block: Step = async (world, { pick, chance }) => {
  const person: Person = pick(world.people)
  // Mostly unblocked, or there would soon be nobody left to sign in.
  const blocked = !person.blocked && chance(0.5)
  await world.manage('PATCH', `/users/${encodeURIComponent(person.id)}`, { blocked }, 200)
  person.blocked = blocked
  if (blocked) endAccess(person, world.sessions, world.grants)
  return `${person.email} is ${blocked ? 'blocked' : 'not blocked'}`
}

const changePassword: Step = async (world, { pick }) => {
  const person: Person = pick(world.people)
  person.password = `another three words ${world.steps}`
  const path = `/users/${encodeURIComponent(person.id)}`
  await world.manage('PATCH', path, { password: person.password, connection: world.connection.name }, 200)
  endAccess(person, world.sessions, world.grants)
  return `${person.email} gets a new password`
}

const switchConnection: Step = async (world, { pick, chance }) => {
  const organization = pick(world.organizations)
  const enable = !organization.connectionEnabled || chance(0.3)
  const path = `/organizations/${organization.id}/enabled_connections`
  if (enable && !organization.connectionEnabled) {
    await world.manage('POST', path, { connection_id: world.connection.id }, 201)
  } else if (!enable) {
    await world.manage('DELETE', `${path}/${world.connection.id}`, undefined, 204)
  }
  organization.connectionEnabled = enable
  return `the connection of ${organization.id} is ${enable ? 'on' : 'off'}`
}

const suspend: Step = async (world, { pick, chance }) => {
  const organization = pick(world.organizations)
  const is_suspended = !organization.suspended && chance(0.5)
  await world.manage('PATCH', `/organizations/${organization.id}`, { is_suspended }, 200)
  organization.suspended = is_suspended
  return `${organization.id} is ${is_suspended ? 'suspended' : 'not suspended'}`
}

const rotateKeys: Step = async (world) => {
  await world.manage('POST', '/keys/signing/rotate', undefined, 201)
  await world.keysRotated()
  return 'the signing keys rotate'
}

const endSessions: Step = async (world, { pick }) => {
  const person: Person = pick(world.people)
  await world.manage('DELETE', `/users/${encodeURIComponent(person.id)}/sessions`, undefined, 202)
  for (const session of world.sessions) if (session.person === person) session.ended = true
  for (const grant of world.grants) if (grant.person === person && !grant.hasRefreshToken) grant.revoked = true
  return `all sessions of ${person.email} are ended`
}

const wait: Step = async (world, { pick }) => {
  const seconds = pick([1, 10, 29, 30, 31, 61, 119, 120, 600, 3600, 7199, 7200, 4 * 3600])
  world.advance(seconds)
  return `${seconds} seconds pass`
}

const describe = ({ person, organization }: Grant): string => `${person.email} at ${organization.id}`

export const STEPS: readonly [weight: number, step: Step][] = [
  [10, signIn],
  [26, silent],
  [22, exchange],
  [18, refreshNewest],
  [8, refresh],
  [2, revoke],
  [2, signOut],
  [4, removeMember],
  [7, addMember],
  [6, changeRole],
  [5, block],
  [1, changePassword],
  [5, switchConnection],
  [4, suspend],
  [1, rotateKeys],
  [1, endSessions],
  [14, wait],
]
