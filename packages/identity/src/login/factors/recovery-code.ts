/** The code that people keep for the day when nothing else is at hand. It is used up; a new one takes its place. */
import { newRecoveryCode, recoveryHash } from '../../resources/users/authentication-methods/rules.ts'
import * as methods from '../../resources/users/authentication-methods/store.ts'
import type { Factor } from './factor.ts'

export const recoveryCode: Factor = {
  name: 'recovery-code',

  enrol: async ({ clock }, { user }) => newRecoveryCode(user.user_id, clock.now()).row,

  async verify(_deps, tx, { person, value }) {
    if (value.length > 100) return false
    return (await methods.useRecoveryCode(tx, person.user.user_id, recoveryHash(value))).length > 0
  },
}
