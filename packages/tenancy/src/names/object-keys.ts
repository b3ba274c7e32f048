/** Keys of objects (Amazon S3 and what speaks like it): `<prefix>/<tenant>/<part>/<part>`. */
import { currentIdentity } from '../identity/context.ts'
import { keyPart, keyPartText, NameRefused } from './encoding.ts'

export interface ObjectKeys {
  /**
   * The key of an object of the tenant for which this runs. Parts may be any text; `/` in a part does not begin another.
   * @throws NameRefused without a part, for text that is no well-formed Unicode, or beyond 1,024 bytes
   */
  of(...parts: [string, ...string[]]): string
  /** What all of the tenant's keys begin with, `/` included: for listing, and for an IAM policy's resource. */
  prefix(...parts: string[]): string
  /**
   * The parts of a key that came from elsewhere: a listing, an event, a client.
   * @throws NameRefused when it is not one of the tenant for which this runs
   */
  parts(key: string): string[]
}

/**
 * @param options.prefix what stands before the tenant: `tenants` if left out
 * @example
 * const keys = objectKeys()
 * withIdentity(identity, () => keys.of('invoices', '../../b.pdf'))
 * // → 'tenants/BlueKite4Jq8Zt1Ns6Yb0Xw3/invoices/..%2F..%2Fb.pdf'
 */
export function objectKeys(options: { prefix?: string } = {}): ObjectKeys {
  const root = `${options.prefix ?? 'tenants'}/`
  const own = () => `${root}${keyPart(currentIdentity().tenantId)}/`
  return {
    of(...parts) {
      if (parts.length === 0) throw new NameRefused('An object needs a name.')
      const key = own() + parts.map(keyPart).join('/')
      if (key.length > 1_024) throw new NameRefused('The name of the object is too long.')
      return key
    },
    prefix: (...parts) => own() + parts.map((part) => `${keyPart(part)}/`).join(''),
    parts(key) {
      const prefix = own()
      if (!key.startsWith(prefix)) throw new NameRefused('There is no such object.')
      try {
        return key.slice(prefix.length).split('/').map(keyPartText)
      } catch {
        throw new NameRefused('There is no such object.')
      }
    },
  }
}
