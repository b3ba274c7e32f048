/** Values of an authenticator app (TOTP, RFC 6238): six digits, thirty seconds, one step of tolerance to each side. */
import { epochSeconds } from '@tenantry/kernel/clock.ts'
import { Secret, TOTP } from 'otpauth'
import { friendlyName } from '../../environments/environment.ts'
import { typedCode } from '../../resources/typed.ts'
import { newTotp, openTotp } from '../../resources/users/authentication-methods/rules.ts'
import * as methods from '../../resources/users/authentication-methods/store.ts'
import type { Factor } from './factor.ts'

const PERIOD = 30

const generator = (secret: string, names: { issuer?: string; label?: string } = {}) =>
  new TOTP({ ...names, secret: Secret.fromBase32(secret), digits: 6, period: PERIOD, algorithm: 'SHA1' })

export const otp: Factor = {
  name: 'otp',

  enrol: async ({ secrets, clock }, { environment, user }) =>
    newTotp(secrets, environment.id, user.user_id, clock.now()).row,

  reveal({ secrets }, { environment, user }, method) {
    const secret = openTotp(secrets, environment.id, method)
    const names = { issuer: friendlyName(environment), label: user.email ?? user.name ?? user.user_id }
    return { secret, barcode_uri: generator(secret, names).toString() }
  },

  async verify({ secrets, clock }, tx, { person, method, value }) {
    const token = typedCode(value)
    if (!/^\d{6}$/.test(token)) return false
    const now = clock.now()
    const secret = openTotp(secrets, person.environment.id, method)
    const delta = generator(secret).validate({ token, timestamp: now.getTime(), window: 1 })
    if (delta === null) return false
    // RFC 6238 §5.2: a value is accepted once. Neither is an earlier one after it.
    const step = Math.floor(epochSeconds(now) / PERIOD) + delta
    return (await methods.useStep(tx, method.id, step, now)).length > 0
  },
}
