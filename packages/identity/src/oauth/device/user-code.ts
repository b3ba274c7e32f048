/**
 * What people type (RFC 8628 §6.1): letters without vowels, so that no words come about and nothing is taken for a digit,
 * or digits for keypads; in the shape that the environment has set.
 */
import { randomInt } from 'node:crypto'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { type DeviceFlowSettings, FEWEST } from '../../resources/tenant-settings/device-flow.ts'

const CHARSETS = { base20: 'BCDFGHJKLMNPQRSTVWXZ', digits: '0123456789' }

export const makeUserCode = ({ charset, mask }: DeviceFlowSettings): string =>
  mask.replaceAll('*', () => {
    const characters = CHARSETS[charset]
    return characters[randomInt(characters.length)]!
  })

/** However it was typed. */
const plain = (code: string): string => code.toUpperCase().replace(/[^A-Z0-9]/g, '')

/** @returns undefined for what cannot be a code */
export function hashUserCode(secrets: Secrets, environmentId: string, code: string): Buffer | undefined {
  const typed = plain(code)
  if (typed.length < Math.min(...Object.values(FEWEST)) || typed.length > 20) return undefined
  return secrets.authenticate('device-user-code', `${environmentId}/${typed}`)
}
