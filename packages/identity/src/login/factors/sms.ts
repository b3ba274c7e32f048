/** A code by text message. */
import { renderWritten } from '../../delivery/render.ts'
import { friendlyName } from '../../environments/environment.ts'
import { SMS_TEMPLATES } from '../../resources/guardian/settings.ts'
import { phoneNumber } from '../../resources/phone-number.ts'
import { newContact } from '../../resources/users/authentication-methods/rules.ts'
import type { Factor } from './factor.ts'
import { refusals } from './problems.ts'
import { newCode, verifyCode } from './sent-code.ts'

export const sms: Factor = {
  name: 'sms',

  async enrol({ clock }, { user }, wishes) {
    const number = phoneNumber(wishes.phoneNumber ?? '')
    if (!number) throw refusals.invalid_contact()
    return newContact('phone', user.user_id, clock.now(), { phone_number: number })
  },

  async challenge(deps, tx, person, method, { smsTemplates }) {
    const { environment } = person
    const { code, challenge } = newCode(deps, person, method)
    const which = method.confirmed ? 'verification_message' : 'enrollment_message'
    const tenant = { friendly_name: friendlyName(environment) }
    const message = (template: string) => renderWritten('text', template, { code, tenant, message_type: 'sms' })
    const written = await message(smsTemplates[which]).catch(() => '')
    // A template that fails, or forgets the code, must not keep people out.
    const text = written.includes(code) ? written.slice(0, 400) : await message(SMS_TEMPLATES[which])
    await deps.outbox.addSms(tx, environment.id, { recipient: method.phone_number!, template: 'mfa_oob_code', text })
    return { ...challenge, shown: { phone_number: masked(method.phone_number!) } }
  },

  verify: (deps, _tx, answer) => verifyCode(deps, answer),
}

export const masked = (number: string): string => `${'X'.repeat(Math.max(0, number.length - 4))}${number.slice(-4)}`
