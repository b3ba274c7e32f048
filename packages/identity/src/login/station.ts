/** What the pages of the sign-in have in common: when they are due, where they begin, and with which connections they work. */
import type { Connection } from '../oauth/configuration.ts'
import { isPasswordless } from '../resources/connections/passwordless.ts'
import type { StepTools, Visit } from './login.ts'
import { asksAfter, asksBefore } from './organization-behavior.ts'
import { takesResets } from './password-reset.ts'
import { takesSignUps } from './sign-up.ts'

/** Nobody is signed in, and no invitation decides how that happens. */
export const needsSignIn = ({ session, transaction }: Visit): boolean =>
  session === undefined && transaction.invitationId === undefined

/** Whether the environment asks for the address first, and then for what proves it. */
export const asksIdentifierFirst = ({ request }: Visit): boolean =>
  request.environment.prompts?.identifier_first === true

/** Where people sign in who come from another page. */
export const entrance = (visit: Visit) => ({
  login_page: asksIdentifierFirst(visit) ? '/u/login/identifier' : '/u/login',
})

/** Who signs in, as far as it was said before. */
export const loginHint = ({ transaction }: Visit): string =>
  transaction.request.login_hint ?? transaction.progress.typedEmail ?? ''

/** Whether the application begins with signing up. */
export const asksForSignUp = ({ transaction: { request } }: Visit): boolean =>
  request.screen_hint === 'signup' || request.prompt.includes('create')

/** Connections that may sign somebody in here: of the client, of the organization, and the one that the request names. */
export async function usableConnections(tools: StepTools, visit: Visit): Promise<Connection[]> {
  const { request, client, transaction } = visit
  const { connection: named } = transaction.request
  const usable = await tools.configuration.connections(
    request.environment.id,
    client.client_id,
    transaction.organizationId,
  )
  return named ? usable.filter(({ name }) => name === named) : usable
}

/** Those of them in which people have no password. */
export const codeConnections = (usable: Connection[]): Connection[] =>
  usable.filter(({ strategy }) => isPasswordless(strategy))

/** Whether nobody has a password here: pages that ask for one would refuse everybody. */
export const onlyCodes = async (tools: StepTools, visit: Visit): Promise<boolean> => {
  const usable = await usableConnections(tools, visit)
  return usable.length > 0 && codeConnections(usable).length === usable.length
}

/** Whoever is asked which organization may be signed in as somebody else than they want to be. */
export const mayChangeAccount = (visit: Visit): boolean =>
  asksAfter(visit) && visit.transaction.organizationId === undefined

/** The connection in which people sign up here, if there is one. */
export const signUpConnection = async (tools: StepTools, visit: Visit): Promise<Connection | undefined> =>
  (await usableConnections(tools, visit)).find((each) => takesSignUps(each, visit.transaction.organizationId))

/** The ways that lead from a page on which people sign in. */
export async function waysOn(tools: StepTools, visit: Visit) {
  const usable = await usableConnections(tools, visit)
  return {
    may_change_organization: asksBefore(visit),
    may_sign_up: usable.some((each) => takesSignUps(each, visit.transaction.organizationId)),
    reset_connection: usable.find(takesResets)?.name,
    may_use_code: codeConnections(usable).length > 0,
  }
}
