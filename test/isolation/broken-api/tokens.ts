/** Tokens of the broken API: HS256, the tenant in `tenant_id`. */
import { createHmac, timingSafeEqual } from 'node:crypto'

const KEY = 'the key of the broken API'
const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const signatureOf = (text: string): Buffer => createHmac('sha256', KEY).update(text).digest()

export function tokenOf(tenant: string, { expiresIn = 3600 } = {}): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = { sub: 'maria', tenant_id: tenant, iat: now - 60, exp: now + expiresIn }
  const signed = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded(claims)}`
  return `${signed}.${signatureOf(signed).toString('base64url')}`
}

export interface Reading {
  verify: boolean
  allowNone: boolean
  checkExpiry: boolean
}

/** @returns the tenant; undefined for a token that is refused */
export function tenantOf(token: string, { verify, allowNone, checkExpiry }: Reading): string | undefined {
  const [head, payload, signature = ''] = token.split('.')
  try {
    const { alg } = JSON.parse(Buffer.from(head!, 'base64url').toString())
    const { tenant_id, exp } = JSON.parse(Buffer.from(payload!, 'base64url').toString())
    const expected = signatureOf(`${head}.${payload}`)
    const given = Buffer.from(signature, 'base64url')
    const genuine = alg === 'HS256' && given.length === expected.length && timingSafeEqual(given, expected)
    if (!genuine && verify && !(allowNone && alg === 'none')) return undefined
    return checkExpiry && exp * 1000 < Date.now() ? undefined : tenant_id
  } catch {
    return undefined
  }
}
