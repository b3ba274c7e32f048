/**
 * Adding an authenticator app from one's own account. What was begun travels in the form, and counts only for this person
 * and until it is confirmed; whoever has a second factor already must have signed in with it (OWASP ASVS 2.7).
 */
import { renderSVG } from 'uqr'
import { friendlyName } from '../environments/environment.ts'
import type { Person } from '../login/factors/factor.ts'
import { asker, type LogEntry } from '../logs/tenant-log.ts'
import type { Caller, Told } from './account.ts'
import type { AccountDependencies } from './overview.ts'

type Deps = Pick<AccountDependencies, 'factors'>

/** What the tenant log tells of whoever changes their account. */
export const about = ({ request, user }: Caller): Partial<LogEntry> => ({
  ...asker(request),
  user_id: user.user_id,
  user_name: user.email,
  connection: user.connection,
  connection_id: user.connection_id,
})

const personOf = (caller: Caller): Person => {
  const { environment } = caller.request
  return { environment, user: caller.user, product: friendlyName(environment), about: about(caller) }
}

/** Whether apps are on and this person has none. */
export async function mayAddApp({ factors }: Deps, caller: Caller): Promise<boolean> {
  const person = personOf(caller)
  return (await factors.enrollable(person, await factors.enrolled(person))).includes('otp')
}

/** Makes a secret and shows it. */
export async function beginApp(deps: Deps, caller: Caller): Promise<Told> {
  if (!(await mayAddApp(deps, caller))) return GONE
  const { method, shown } = await deps.factors.enrol(personOf(caller), 'otp')
  return secretPage(method.id, shown, {})
}

/** Confirms it with the first value of the app; a wrong one leaves the secret as it is. */
export async function confirmApp(deps: Deps, caller: Caller, form: Readonly<Record<string, string>>): Promise<Told> {
  const person = personOf(caller)
  const begun = form.method ? await deps.factors.begun(person, form.method) : undefined
  if (begun?.method.factor !== 'otp' || !(await mayAddApp(deps, caller))) return GONE
  const { id } = begun.method
  switch (await deps.factors.confirm(person, id, `account/${caller.session.id}`, form.code ?? '', caller.isStrong)) {
    case 'right':
      return {}
    case 'wrong':
      return secretPage(id, begun.shown, { status: 400, refused: 'invalid-code' })
    case 'too_many':
      return secretPage(id, begun.shown, { status: 429, refused: 'too-many-failures' })
    case 'refused':
      return { refused: 'confirm-first', status: 403 }
    case 'gone':
      return GONE
  }
}

const GONE: Told = { refused: 'gone', status: 400 }

const secretPage = (
  method: string,
  { secret, barcode_uri }: Record<string, unknown>,
  { status = 200, refused }: Pick<Told, 'status' | 'refused'>,
): Told => ({
  status,
  page: {
    name: 'mfa-otp-enrollment',
    values: {
      action: '/account/authenticator',
      back: '/account',
      method,
      refused,
      qr: renderSVG(String(barcode_uri), { border: 2 }),
      secret: String(secret).replace(/(.{4})(?=.)/g, '$1 '),
    },
  },
})
