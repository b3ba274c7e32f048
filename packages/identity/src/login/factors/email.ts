/** A code by mail, to the address of an enrolment or to the person's own, if that is proven. */
import { brandTokens, DEFAULT_BRAND } from '../../brand-colors.ts'
import { inert, initials, render } from '../../delivery/render.ts'
import { primaryColor } from '../../environments/environment.ts'
import { isEmailAddress } from '../../resources/email-address.ts'
import { word, wordingOf } from '../../resources/email-templates/wording.ts'
import { newContact } from '../../resources/users/authentication-methods/rules.ts'
import type { Factor, Person } from './factor.ts'
import { refusals } from './problems.ts'
import { CODE_SECONDS, newCode, verifyCode } from './sent-code.ts'

export const email: Factor = {
  name: 'email',

  async enrol({ clock }, { user }, wishes) {
    const address = wishes.email ?? user.email
    if (!address || !isEmailAddress(address)) throw refusals.invalid_contact()
    return newContact('email', user.user_id, clock.now(), { email: address })
  },

  async challenge(deps, tx, person, method) {
    const { code, challenge } = newCode(deps, person, method)
    const recipient = method.email!
    const wording = await wordingOf(tx, 'mfa_oob_code')
    const { environment, user } = person
    const subject = { environment, user: { ...user, email: recipient } }
    const mail = await word(wording, subject, { code }, await builtIn(person, recipient, code))
    if (!mail) throw refusals.not_sent()
    await deps.outbox.add(tx, environment.id, mail)
    return { ...challenge, shown: { email: masked(recipient) } }
  },

  verify: (deps, _tx, answer) => verifyCode(deps, answer),
}

async function builtIn({ environment, product: name }: Person, recipient: string, code: string) {
  const product = inert(name)
  const { settings } = environment
  const subject = `Your code to sign in to ${product}`
  const body = await render('code', {
    url: '',
    subject,
    preheader: 'A code to confirm that it’s you',
    heading: 'Confirm that it’s you',
    lead: `Type this code on the page where you’re signing in to ${product}.`,
    code,
    minutes: CODE_SECONDS / 60,
    unexpected: 'Not signing in? Then somebody knows your password. Change it.',
    product,
    initials: initials(name),
    support: settings.support_email ?? settings.support_url ?? '',
    brand: brandTokens(primaryColor(environment) ?? DEFAULT_BRAND),
  })
  return { recipient, template: 'mfa_oob_code', subject, ...body }
}

/** Enough to recognise one's own address: ann***@exa***. */
export function masked(address: string): string {
  const [name = '', host = ''] = address.split('@')
  return `${name.slice(0, 3)}***@${host.slice(0, 3)}***`
}
