/** What of the demanded second factors is still to be done, and on which page. Decided from what is stored. */

import { asker } from '../../../logs/tenant-log.ts'
import { problems as oauthProblems } from '../../../oauth/problems.ts'
import { type Demand, isAlways, isMet, policyDemands } from '../../factors/demand.ts'
import type { FactorName, Method, Person } from '../../factors/factor.ts'
import { isRemembered } from '../../factors/remembered.ts'
import type { StepTools, Visit } from '../../login.ts'
import * as store from '../../store.ts'
import type { ActionDecision, FactorProgress } from '../../transactions.ts'

export interface Pending {
  /** /u/{page} */
  page: string
  person: Person
  progress: FactorProgress
  /** Whether passing it may be remembered in this browser. */
  mayRemember: boolean
  /** What is asked for: one of these, the first unless another was picked. */
  asks?: { method: Method; others: Method[] }
  /** What is added: one of these factors, and the method once it is made. */
  adds?: { factors: FactorName[]; factor: FactorName | undefined; method: string | undefined; proven: boolean }
}

const CHALLENGES: Record<FactorName, string> = {
  otp: 'mfa-otp-challenge',
  sms: 'mfa-sms-challenge',
  email: 'mfa-email-challenge',
  'recovery-code': 'mfa-recovery-code-challenge',
  'webauthn-roaming': 'mfa-webauthn-roaming-challenge',
  'webauthn-platform': 'mfa-webauthn-platform-challenge',
}

const known = new WeakMap<Visit, Promise<Pending | undefined>>()

/**
 * Asked by each page whose turn it is, and answered once for a visit.
 * @throws Problem `access_denied` when what is demanded cannot be given
 */
export function pendingFactor(visit: Visit, tools: StepTools): Promise<Pending | undefined> {
  const found = known.get(visit) ?? find(visit, tools)
  known.set(visit, found)
  return found
}

async function find(visit: Visit, tools: StepTools): Promise<Pending | undefined> {
  const { request, transaction, session } = visit
  if (!session || transaction.invitationId) return undefined
  const { progress } = transaction
  const own = progress.factors?.user_id === session.user_id ? progress.factors : undefined
  const factors = own ?? { user_id: session.user_id, passed: [] }
  const demands = await demandsOf(visit, tools)
  const onlyMfa = demands.every(({ kind }) => kind === 'mfa')
  if (onlyMfa && factors.passed.length === 0 && (demands.length === 0 || session.amr.includes('mfa'))) return undefined

  const person = await personOf(visit, tools)
  if (!person) return undefined
  const enrolled = await tools.factors.enrolled(person)
  const remembered =
    demands.some((demand) => demand.kind === 'mfa' && demand.mayRemember) &&
    (await isRemembered(tools, request, session.user_id))
  const met = { amr: session.amr, isRemembered: remembered, passed: factors.passed, enrolled }
  const demand = demands.find((each) => !isMet(each, met))
  const base = {
    person,
    progress: factors,
    mayRemember: demands.every((each) => each.kind !== 'mfa' || each.mayRemember),
  }
  if (!demand) return (await lacksRecoveryCode(tools, person, factors, enrolled)) ? { ...base, ...RECOVERY } : undefined

  const candidates = askable(demand, enrolled, isProven(session.amr, factors))
  if (candidates.length > 0) {
    const method = candidates.find(({ id }) => id === factors.picked) ?? candidates[0]!
    return {
      ...base,
      page: CHALLENGES[method.factor],
      asks: { method, others: candidates.filter((each) => each !== method) },
    }
  }
  if (demand.kind === 'challenge') throw refusal('A second factor was asked for that the user does not have.')
  if (!isProven(session.amr, factors) && (await tools.factors.hasElsewhere(person)))
    throw refusal('The second factor of the user can only be used at the address where it was added.')
  return { ...base, ...adding(await addable(tools, person, enrolled, demand), factors, session.amr) }
}

const isProven = (amr: string[], { passed }: FactorProgress) => amr.includes('mfa') || passed.length > 0

/** Whoever has a factor shows it before another is added: who knows the password alone must not (OWASP ASVS 2.7). */
function askable(demand: Demand, enrolled: Method[], proven: boolean): Method[] {
  if (demand.kind === 'challenge') return enrolled.filter(({ factor }) => demand.factors.includes(factor))
  if (demand.kind === 'mfa') return enrolled
  return !proven && enrolled.some(({ factor }) => factor !== 'email') ? enrolled : []
}

const RECOVERY = { page: 'mfa-recovery-code-enrollment' }

/** Shown to whoever has just passed a factor and has no code for the day when it is lost. */
async function lacksRecoveryCode(tools: StepTools, person: Person, { passed }: FactorProgress, enrolled: Method[]) {
  if (passed.length === 0) return false
  const on = await tools.factors.available(person.environment.id)
  return (
    on.includes('recovery-code') &&
    enrolled.some(({ factor }) => factor !== 'email') &&
    !enrolled.some(({ factor }) => factor === 'recovery-code')
  )
}

async function addable(tools: StepTools, person: Person, enrolled: Method[], demand: Demand): Promise<FactorName[]> {
  const all = await tools.factors.enrollable(person, enrolled)
  const asked = demand.kind === 'enroll' ? all.filter((name) => demand.factors.includes(name)) : all
  if (asked.length === 0) throw refusal('A second factor is required, and there is none that the user could use.')
  return asked
}

function adding(factors: FactorName[], progress: FactorProgress, amr: string[]) {
  const chosen = progress.adding && factors.includes(progress.adding.factor) ? progress.adding : undefined
  const factor = chosen?.factor ?? (factors.length === 1 ? factors[0] : undefined)
  const method = chosen?.method
  return {
    page: factor === undefined ? 'mfa-enroll-options' : enrolmentPage(factor, method),
    adds: { factors, factor, method, proven: isProven(amr, progress) },
  }
}

function enrolmentPage(factor: FactorName, method: string | undefined): string {
  if (factor === 'sms') return method === undefined ? 'mfa-sms-enrollment' : CHALLENGES.sms
  // A code that is typed proves the address.
  if (factor === 'email') return CHALLENGES.email
  return `mfa-${factor}-enrollment`
}

const refusal = (reason: string) => oauthProblems.access_denied({ facts: { reason } })

async function demandsOf(visit: Visit, tools: StepTools): Promise<Demand[]> {
  const { request, transaction } = visit
  const { environment } = request
  const { organizationId } = transaction
  const [guardian, organization] = await Promise.all([
    tools.guardian(environment.id),
    organizationId ? tools.configuration.organization(environment.id, organizationId) : undefined,
  ])
  return [
    ...policyDemands({
      acrValues: transaction.request.acr_values ?? [],
      organizationMetadata: organization?.metadata,
      always: isAlways(guardian, environment.settings),
    }),
    ...(decisionOf(visit)?.demands ?? []),
  ]
}

/** What the Actions decided in this sign-in, if it is still the one that they decided about. */
export function decisionOf({ transaction, session }: Visit): ActionDecision | undefined {
  const { decision } = transaction.progress
  const isSame =
    decision?.user_id === session?.user_id && decision?.organization_id === (transaction.organizationId ?? null)
  return isSame ? decision : undefined
}

async function personOf(
  { request, client, session, transaction }: Visit,
  tools: StepTools,
): Promise<Person | undefined> {
  const [user] = await tools.database.once(request.environment.id, (tx) => store.person(tx, session!.user_id))
  return (
    user && {
      environment: request.environment,
      user,
      product: client.name,
      about: {
        ...asker(request),
        client_id: client.client_id,
        client_name: client.name,
        connection_id: session!.connection_id,
        organization_id: transaction.organizationId ?? null,
      },
    }
  )
}
